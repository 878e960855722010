import { CulvertError } from '../../lib/errors.ts'
import type { KubeClient, Secret } from '../../kube/client.ts'
import { KubeError } from '../../kube/error.ts'
import { renderCertificateMemory } from '../../wire/certificate-memory.ts'
import { keys, renderDeviceFqdn, renderDeviceIps, renderHosted } from '../../wire/state-secret.ts'
import { forwardingKey, planForwarding } from '../forwarding/reconciler.ts'
import { egressStatus, ingressStatus } from '../forwarding/standing.ts'
import { httpsEndpoint } from '../serve/reconciler.ts'
import { toldOf } from '../world/capability.ts'
import type { Context } from '../world/context.ts'
import type { Reconciler } from '../world/reconciler.ts'
import { isInPlace, reconcilerKey } from '../world/reports.ts'
import type { World } from '../world/world.ts'
import { difference, judgeOthers, nobody, type SecretDesired } from './others.ts'

export const stateSecretKey = reconcilerKey<SecretDesired>('state-secret')

/** Whether the agent writes to the Secret at all. */
export const writesSecret = ({ settings, stateSecret }: World): boolean =>
  settings.inKubernetes && stateSecret?.access?.patch === true

/**
 * What the Secret should say about this device now. The device's ID comes first; its name and addresses wait for the
 * rules, since readers send traffic there.
 */
export function planStateSecret(world: World): SecretDesired | undefined {
  if (!writesSecret(world)) return undefined
  const { settings, tailnet, reissue, certificates } = world
  const { self } = tailnet
  const endpoint = httpsEndpoint(world)
  return {
    [keys.capver]: String(toldOf(world.capability)),
    ...(settings.pod.uid !== '' && { [keys.podUid]: settings.pod.uid }),
    ...(self && self.id !== '' && { [keys.deviceId]: self.id }),
    ...(self &&
      self.addresses.length > 0 &&
      rulesStand(world) && {
        [keys.deviceFqdn]: renderDeviceFqdn(self.name),
        [keys.deviceIps]: renderDeviceIps(self.addresses),
      }),
    ...(endpoint !== undefined && { [keys.httpsEndpoint]: endpoint }),
    ...servicesStatus(world),
    ...(certificates.memory && { [keys.certificates]: renderCertificateMemory(certificates.memory) }),
    ...(reissue && { [keys.reissue]: reissue.refusedKey }),
  }
}

function servicesStatus(world: World): SecretDesired {
  const [egress, ingress] = [egressStatus(world), ingressStatus(world)]
  return {
    ...(egress && { [keys.egressServices]: egress.text }),
    ...(ingress && { [keys.ingressServices]: ingress.text }),
    // That a node advertises a Tailscale Service does not mean that the tailnet sends it clients.
    ...(ingress && world.tailnet.hosted && { [keys.hosted]: renderHosted(world.tailnet.hosted) }),
  }
}

/** Whether the desired rules were verified; true if none are desired. */
function rulesStand(world: World): boolean {
  const wanted = planForwarding(world)
  return wanted === undefined || isInPlace(world, forwardingKey, wanted)
}

/** The agent's own keys in the state Secret: written when they differ, and repaired when somebody changes them. */
export function stateSecretReconciler(
  kube: KubeClient,
  name: string,
  { timings, clock, signal }: Pick<Context, 'timings' | 'clock' | 'signal'>,
): Reconciler<SecretDesired> {
  let others = nobody
  const create = async (mayCreate: boolean): Promise<Secret> => {
    if (!mayCreate) throw gone(name)
    try {
      // Created empty; its content is then written as usual.
      return await kube.createSecret(name, new Map(), signal)
    } catch (error) {
      // tailscaled has created it meanwhile.
      const secret = error instanceof KubeError && error.status === 409 ? await kube.getSecret(name, signal) : undefined
      if (secret === undefined) throw error
      return secret
    }
  }
  const write = async (change: ReadonlyMap<string, string>, desired: SecretDesired): Promise<void> => {
    const { data } = await kube.patchSecret(name, change, signal)
    const still = difference(data, desired)
    if (still.size === 0) return
    throw new CulvertError(
      'state-secret',
      `Secret "${name}" was written, but ${[...still.keys()].join(', ')} did not stay`,
    )
  }
  return {
    key: stateSecretKey,
    plan: planStateSecret,
    apply: async (desired, { stateSecret }) => {
      const { data } = (await kube.getSecret(name, signal)) ?? (await create(stateSecret?.access?.create === true))
      const judged = judgeOthers(others, { name, data, desired, now: clock.now() }, timings)
      others = judged.others
      if (!judged.mayWrite) throw judged.problem
      const { problem } = judged
      const change = difference(data, desired)
      if (change.size > 0) await write(change, desired)
      others = { ...others, held: desired }
      return problem === undefined ? change.size > 0 : { problem, verified: desired }
    },
  }
}

const gone = (name: string): CulvertError =>
  new CulvertError(
    'state-secret',
    `the state Secret "${name}" is gone, and with it the node’s identity at the next start`,
    {
      remedy:
        'Create it empty and restart the Pod with a fresh auth key, or grant the verb create on secrets; traffic goes on meanwhile.',
    },
  )
