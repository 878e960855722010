import { CulvertError } from '../../lib/errors.ts'
import { nothingReachable } from '../../netfilter/plan.ts'
import { isFrom } from '../../wire/capability-version.ts'
import { forwards } from '../forwarding/forwards.ts'
import { attemptedPlan } from '../forwarding/reconciler.ts'
import { planRelay, relayKey } from '../relay/reconciler.ts'
import { planServe, serveKey } from '../serve/reconciler.ts'
import { proxyProtocolSince } from '../serve/wanted.ts'
import { planStateSecret, stateSecretKey } from '../state-secret/reconciler.ts'
import { isUnresolved } from '../targets/destination.ts'
import type { Context } from '../world/context.ts'
import { reportOf, wasAttempted } from '../world/reports.ts'
import type { World } from '../world/world.ts'
import { events } from './log-events.ts'

/**
 * Resolves when start-up is complete: the node is running, and every reconciler has made its first attempt.
 * @throws CulvertError `family` when that attempt found that no target can ever be reached.
 */
export async function started({ store, log, signal }: Pick<Context, 'store' | 'log' | 'signal'>): Promise<void> {
  await store.until(({ daemon, tailnet }) => daemon.phase === 'running' && tailnet.self !== undefined, signal)
  const world = await store.until(
    (now) => forwardingTried(now) && relayTried(now) && serveTried(now) && stateSecretTried(now) && isVersionKnown(now),
    signal,
  )
  refuseOldDaemon(world)
  const plan = attemptedPlan(world)
  const { settings } = world
  // The addresses of a name may change.
  if (plan === undefined || settings.targetName !== undefined || !nothingReachable(plan)) return
  const reasons = plan.unreachable.map(({ target, reason }) => `${target.text}: ${reason}`)
  if (settings.tailnetTarget !== undefined) {
    const addresses = plan.unreachable.map(({ target }) => `${target.text}/${target.family === 4 ? 32 : 128}`)
    // Upstream's own words, which its test suite waits for.
    log(events.noRules({ addresses: addresses.join(' '), ipv6: String(world.kernelFamilies.includes(6)) }))
  }
  const which = settings.tailnetTarget === undefined ? 'TS_DEST_IP' : 'the target in the tailnet'
  throw new CulvertError('family', `no forwarding rules for ${which}: ${reasons.join('; ')}`, {
    remedy: 'Give a target of a family that the node has.',
  })
}

const isVersionKnown = ({ settings, tailnet }: World): boolean =>
  settings.proxyProtocol === undefined || tailnet.version !== undefined

/** Backends would take a client's first bytes for the header. */
function refuseOldDaemon({ settings: { proxyProtocol }, tailnet: { version = '' } }: World): void {
  if (proxyProtocol === undefined || isFrom(version, proxyProtocolSince) !== false) return
  throw new CulvertError(
    'settings',
    `CULVERT_PROXY_PROTOCOL needs tailscaled ${proxyProtocolSince} or later, and this is ${version}`,
    { remedy: 'Use an image with a later tailscaled, or unset it.' },
  )
}

/** A name that cannot be resolved does not end the agent. */
const forwardingTried = (world: World): boolean =>
  !forwards(world) || isUnresolved(world) || attemptedPlan(world) !== undefined

const relayTried = (world: World): boolean => planRelay(world) === undefined || reportOf(world, relayKey) !== undefined

const serveTried = (world: World): boolean => planServe(world) === undefined || reportOf(world, serveKey) !== undefined

function stateSecretTried(world: World): boolean {
  const wanted = planStateSecret(world)
  return wanted === undefined || wasAttempted(world, stateSecretKey, wanted)
}
