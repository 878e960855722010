/** Who is measured, which is also the host where it runs. `cached` is ours with a warm compile cache of Node. */
export type ContestantName = 'ours' | 'cached' | 'upstream'

export type Contestant = {
  readonly name: ContestantName
  readonly argv: readonly string[]
  /** Settings besides those that all have in common. */
  readonly env: Readonly<Record<string, string>>
}

/** The directory of Node's compile cache, as named inside a host. */
export const compileCache = { NODE_COMPILE_CACHE: '/tmp/compile-cache' } as const

// The kernel divides CPU time by session, so each agent gets its own: otherwise upstream's tailscaled would share that
// of the client program, and ours, which the agent starts in a new session, would not.
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
