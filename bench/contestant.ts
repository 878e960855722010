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
  const ours = [process.execPath, bundle]
  return {
    ours: { name: 'ours', argv: ours, env: {} },
    cached: { name: 'cached', argv: ours, env: compileCache },
    // The kernel shares out processors by session, and ours starts tailscaled in one of its own; upstream's does not.
    upstream: { name: 'upstream', argv: ['setsid', 'containerboot'], env: {} },
  }
}
