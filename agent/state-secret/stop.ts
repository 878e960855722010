import { CulvertError, describe } from '../../lib/errors.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { KubeClient } from '../../kube/client.ts'
import { keys } from '../../wire/state-secret.ts'
import { identityKeys, isConsistent } from './tailscaled-state.ts'
import { events } from './log-events.ts'

/** tailscaled writes all its keys within a second after a login; after this long without any, none will come. In ms. */
const grace = 10_000

type Parts = { readonly kube: KubeClient; readonly name: string; readonly log: Log; readonly clock: Clock }

/**
 * Waits until tailscaled's keys in the state Secret are complete, so that the next start finds one identity or none;
 * gives up when nothing changes any more, or `deadline` aborts.
 */
export async function awaitConsistency({ kube, name, log, clock }: Parts, deadline: AbortSignal): Promise<void> {
  let version = ''
  let changedAt = clock.now()
  let problem = ''
  for (let attempt = 1; !deadline.aborted && clock.now() - changedAt < grace; attempt += 1) {
    try {
      const secret = await kube.getSecret(name, deadline)
      if (secret === undefined || isConsistent(secret.data)) return
      if (version !== secret.resourceVersion) changedAt = clock.now()
      version = secret.resourceVersion
      problem = ''
    } catch (error) {
      problem = `: ${describe(error)}`
    }
    if (attempt === 1) log(events.awaited({ secret: name }))
    await clock.sleep(Math.min(2000, 10 * attempt ** 2) * (0.5 + Math.random()), deadline)
  }
  throw new CulvertError('state-secret', `tailscaled’s state in Secret "${name}" is not known to be complete${problem}`)
}

/**
 * Removes the identity whose key was refused, so that the next start logs in again. Only after tailscaled has ended: it
 * might write the keys again.
 */
export async function clearIdentity(
  { kube, name }: Pick<Parts, 'kube' | 'name'>,
  deadline: AbortSignal,
): Promise<void> {
  const secret = await kube.getSecret(name, deadline)
  if (secret === undefined) return
  const ours = [keys.reissue, keys.deviceId, keys.deviceFqdn, keys.deviceIps]
  const present = [...ours, ...identityKeys(secret.data)].filter((key) => secret.data.has(key))
  if (present.length > 0) await kube.patchSecret(name, new Map(present.map((key) => [key, null])), deadline)
}
