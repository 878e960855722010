import type { Daemon, Store, World } from '../world.ts'

/** In one-step mode tailscaled logs in by itself: this only says when it is running, until `signal` aborts. */
export async function followOneStep(
  { store, set }: { store: Store; set: (change: Partial<Daemon>) => void },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const { tailnet } = await store.until((world) => world.tailnet.state !== undefined, signal)
    set({ phase: tailnet.state === 'Running' ? 'running' : 'login' })
    await store.until((world) => world.tailnet.state !== tailnet.state, signal)
  }
}

/** An unreachable control server shows as a failed login too, and another key would not help. */
const unreachable =
  /fetch control key|\bdial (tcp|udp)\b|connection re(fused|set)|no route to host|no such host|i\/o timeout|deadline exceeded|TLS handshake|unexpected EOF|x509:/

/** Why the auth key of the config file does not log in; undefined as long as it may (agent.md §2, "Auth loop"). */
export function refusedLogin({ tailnet: { state, health } }: World): string | undefined {
  if (state === 'Running') return undefined
  const warning = health.get('login-state')
  if (warning !== undefined && !unreachable.test(warning)) return warning
  return state === 'NeedsLogin'
    ? 'tailscaled needs to log in, and the config file has no auth key that it accepts'
    : undefined
}
