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

// The kernel shares out processors by session. Each gets its own: else upstream's tailscaled would share that of what
// asks, and ours, which the agent starts in a new one, would not.
const alone = 'setsid'

/** The agent in the bundle with this path. */
export const agentOf = (bundle: string): Contestant => ({
  name: 'ours',
  argv: [alone, process.execPath, bundle],
  env: {},
})

/** `bundle` is the path of our agent's bundle. */
export function contestants(bundle: string): Readonly<Record<ContestantName, Contestant>> {
  const ours = agentOf(bundle)
  return {
    ours,
    cached: { ...ours, name: 'cached', env: compileCache },
    upstream: { name: 'upstream', argv: [alone, 'containerboot'], env: {} },
  }
}
