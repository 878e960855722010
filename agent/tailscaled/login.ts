import { backoff } from '../../lib/backoff.ts'
import { CulvertError, describe } from '../../lib/errors.ts'
import type { BackendState } from '../../localapi/notify.ts'
import type { Settings } from '../settings/settings.ts'
import type { Context } from '../world/context.ts'
import type { Daemon, Tailnet, World } from '../world/world.ts'
import type { Spawn } from './spawn.ts'
import { keepServices } from './kept-services.ts'
import { runSet, runUp } from './up.ts'
import { login as told } from './log-events.ts'

/** A refused login after state in memory was lost is final after this many attempts. */
const maxRefusedLogins = 3
/** After `up` has succeeded the bus may still report an older state for a moment, in ms. */
const settleTime = 10_000

export type LoginParts = Pick<Context, 'store' | 'api' | 'log' | 'timings' | 'clock'> & {
  readonly spawn: Spawn
  readonly set: (change: Partial<Daemon>) => void
}

/**
 * Logs in as often as one life of tailscaled needs it, until `signal` aborts. `first`: the agent has just started, so
 * that `up` must run whatever the daemon's state; with TS_AUTH_ONCE the settings are applied by `tailscale set` once
 * the node runs instead.
 * @throws CulvertError `settings` for a value that can never work, and for an absent key file while a login is needed;
 *   `login` when state in memory was lost and the login is refused. Other failures are retried; the boot deadline
 *   limits them.
 */
export async function keepLoggedIn(
  { store, api, spawn, log, timings, clock, set }: LoginParts,
  first: boolean,
  signal: AbortSignal,
): Promise<void> {
  const { settings } = store.world
  const pause = backoff(timings.retryFirst, timings.retryCap)
  const lostState = !first && settings.state.kind === 'memory'
  const owed = { up: (first && !settings.authOnce) || lostState, set: first && settings.authOnce }
  let refused = 0
  let said: BackendState | undefined
  let withoutKey = false
  while (!signal.aborted) {
    const { tailnet } = await store.until((world) => owed.up || world.tailnet.state !== undefined, signal)
    const next = nextStep(tailnet.state, owed)
    if (next === 'wait') {
      if (tailnet.state === 'Running') set({ phase: 'running' })
      await store.until((world) => world.tailnet.state !== tailnet.state, signal)
      continue
    }
    set({ phase: 'login' })
    if (next === 'up' && !owed.up && tailnet.state !== said) log(told.again({ state: tailnet.state ?? '' }))
    said = tailnet.state
    const login = loginSettings(store.world)
    const restore = next === 'up' ? await keepServices({ store, api, log }, signal) : undefined
    const failure = await (next === 'up' ? runUp : runSet)(withoutKey ? keyless(login) : login, spawn, log, signal)
    await restore?.()
    if (signal.aborted) return
    if (failure !== undefined) {
      const error =
        failure.kind === 'reverts' ? new CulvertError('login', 'tailscale up asks for --reset again') : failure.error
      if (failure.kind === 'settings') throw error
      if (failure.kind === 'key-file') {
        // The key has done its work if the node is known: only another login needs it.
        const { tailnet: now } = await store.until((world) => world.tailnet.state !== undefined, signal)
        if (withoutKey || now.state === 'NeedsLogin') throw error
        log(told.keyNotNeeded({ problem: error.message }))
        withoutKey = true
        continue
      }
      refused += 1
      set({ problem: describe(error) })
      if (lostState && refused >= maxRefusedLogins) {
        throw new CulvertError('login', 'tailscaled lost its state, which was in memory, and cannot log in again', {
          cause: error,
          remedy: 'Give a reusable auth key, or keep the state with TS_STATE_DIR.',
        })
      }
      await clock.sleep(pause.next(), signal)
      continue
    }
    owed[next] = false
    refused = 0
    pause.reset()
    const settled = AbortSignal.any([signal, clock.timeout(settleTime)])
    await store.until((world) => world.tailnet.state === 'Running', settled).catch(() => {})
  }
}

/** The settings, with the auth key of the state Secret if nothing else says how to log in. */
const loginSettings = ({ settings, stateSecret }: World): Settings =>
  stateSecret?.authKey === undefined ? settings : { ...settings, up: { ...settings.up, authKey: stateSecret.authKey } }

const keyless = (settings: Settings): Settings => ({
  ...settings,
  up: { ...settings.up, authKey: '', clientId: '', clientSecret: '', idToken: '', audience: '' },
})

/** What tailscaled needs in this state, given what must run in any case. */
function nextStep(
  state: BackendState | undefined,
  owed: { readonly up: boolean; readonly set: boolean },
): 'up' | 'set' | 'wait' {
  if (owed.up || state === 'NeedsLogin' || state === 'Stopped') return 'up'
  return owed.set && state === 'Running' ? 'set' : 'wait'
}

/** Whether a person must act, which may take any time. */
export const waitsForPerson = ({ state, loginUrl }: Tailnet): boolean =>
  (state === 'NeedsLogin' && loginUrl !== undefined) || state === 'NeedsMachineAuth'

/**
 * Whether a known node waits for the control server, which may take any time, and nothing can be done here. A control
 * server that refuses the node shows as another state.
 */
export const waitsForControl = ({ hasNodeKey, state }: Tailnet): boolean =>
  hasNodeKey === true && (state === 'Starting' || state === 'NoState')

/** Why the login waits, in the daemon's own words if it has some. */
export function loginProblem({ daemon, tailnet }: World): string {
  const { state, health, loginUrl } = tailnet
  if (loginUrl !== undefined && state === 'NeedsLogin') return `log in at ${loginUrl}`
  if (state === 'NeedsMachineAuth') return 'the node waits for approval in the tailnet’s admin console'
  const reasons = [health.get('login-state'), daemon.problem, ...health.values()].filter((text) => text !== undefined)
  const where = waitsForControl(tailnet)
    ? 'the control server cannot be reached, which a node that is known waits for without limit'
    : state === undefined
      ? `tailscaled is ${daemon.phase}`
      : `tailscaled’s state is ${state}`
  return [where, ...new Set(reasons)].join('; ')
}
