/** Who is measured, and at once the host where it runs. `cached` is ours with Node's compile cache, warm. */
export type ContestantName = 'ours' | 'cached' | 'upstream'

export type Contestant = {
  readonly name: ContestantName
  readonly argv: readonly string[]
  /** What it gets beside the environment that all have in common. */
  readonly env: Readonly<Record<string, string>>
}

/** Where Node keeps compiled code, as named inside a host. */
export const compileCache = { NODE_COMPILE_CACHE: '/tmp/compile-cache' } as const

/** `bundle` is the path of our agent's bundle. */
export function contestants(bundle: string): Readonly<Record<ContestantName, Contestant>> {
  // The kernel shares out processors by session. Each gets its own: else upstream's tailscaled would share that of what
  // asks, and ours, which the agent starts in a new one, would not.
  const alone = 'setsid'
  const ours = [alone, process.execPath, bundle]
  return {
    ours: { name: 'ours', argv: ours, env: {} },
    cached: { name: 'cached', argv: ours, env: compileCache },
    upstream: { name: 'upstream', argv: [alone, 'containerboot'], env: {} },
  }
}
