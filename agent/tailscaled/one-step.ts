import { backoff } from '../../lib/backoff.ts'
import { describe } from '../../lib/errors.ts'
import type { Context } from '../world/context.ts'
import type { Daemon, World } from '../world/world.ts'
import { events } from './log-events.ts'

type Parts = Pick<Context, 'store' | 'api' | 'log' | 'timings' | 'clock'> & {
  readonly set: (change: Partial<Daemon>) => void
}

/**
 * In one-step mode tailscaled logs in by itself: this sets when it is running, until `signal` aborts. If somebody has
 * run `tailscale down`, reloading the config starts it again, unless the config says that it should be stopped.
 */
export async function followOneStep(
  { store, api, log, timings, clock, set }: Parts,
  signal: AbortSignal,
): Promise<void> {
  const pause = backoff(timings.retryFirst, timings.retryCap)
  while (!signal.aborted) {
    const { tailnet } = await store.until((world) => world.tailnet.state !== undefined, signal)
    set({ phase: tailnet.state === 'Running' ? 'running' : 'login' })
    if (tailnet.state === 'Running') pause.reset()
    const change = (until: AbortSignal): Promise<unknown> =>
      store.until((world) => world.tailnet.state !== tailnet.state, until)
    if (tailnet.state !== 'Stopped') {
      await change(signal)
      continue
    }
    if (pause.attempts() === 0) log(events.reloads())
    await api.post('reload-config', signal).catch((error: unknown) => set({ problem: describe(error) }))
    await change(AbortSignal.any([signal, clock.timeout(pause.next())])).catch(() => {})
  }
}

/** An unreachable control server also looks like a failed login, and another key would not help. */
const unreachable =
  /fetch control key|\bdial (tcp|udp)\b|connection re(fused|set)|no route to host|no such host|i\/o timeout|deadline exceeded|TLS handshake|unexpected EOF|x509:/

/** Why the auth key of the config file does not log in; undefined as long as it may. */
export function refusedLogin({ tailnet: { state, health } }: World): string | undefined {
  if (state === 'Running') return undefined
  const warning = health.get('login-state')
  if (warning !== undefined && !unreachable.test(warning)) return warning
  return state === 'NeedsLogin'
    ? 'tailscaled needs to log in, and the config file has no auth key that it accepts'
    : undefined
}
