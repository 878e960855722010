import { join } from 'node:path'
import { cpus } from 'node:os'
import type { Host } from '../../test/lab/hosts/host.ts'
import type { HostProcess } from '../../test/lab/hosts/process.ts'
import { build, missing, place } from '../../test/lab/parts/build.ts'
import { goProgram } from '../../test/lab/parts/go.ts'
import { cacheRoot } from '../../test/lab/paths.ts'

const part = goProgram({
  name: 'probe',
  module: { directory: join(import.meta.dirname, '..', 'programs', 'probe') },
  package: '.',
  ownSource: true,
})

/** The arguments and the output of programs/probe/main.go. */
export type Flows = {
  readonly protocol: 'tcp' | 'udp'
  readonly to: string
  readonly port: number
  readonly count: number
}
export type Measured = {
  /** Microseconds each. */
  readonly times: readonly number[]
  readonly done: number
  readonly failed: number
  /** The error of the last of them. */
  readonly why?: string
  /** The total number of seconds. */
  readonly elapsed: number
}

/** The compiled program that sends and answers packets. */
export type Probe = {
  readonly serve: (host: Host, port: number, pinned: boolean) => Promise<HostProcess>
  readonly first: (host: Host, flows: Flows & { readonly times: number }) => Promise<Measured>
  readonly exchange: (host: Host, flows: Flows & { readonly times: number }) => Promise<Measured>
  readonly crowd: (host: Host, flows: Flows & { readonly crowd: number; readonly seconds: number }) => Promise<Measured>
}

/** Go would interrupt long system calls, to share threads that nothing else needs. */
const env = { GODEBUG: 'asyncpreemptoff=1' }

/** Builds it, unless it has been built. */
export async function buildProbe(note: (detail: string) => void): Promise<Probe> {
  const placed = await place(cacheRoot(), [part])
  await build(cacheRoot(), missing(placed), { step: (_what, work) => work(note) })
  const program = join(placed[0]?.directory ?? '', 'probe')
  const argv = (settings: object, pinned: boolean): string[] => [
    // One CPU for both ends: otherwise the result would depend on which other one is woken, and from which sleep state.
    ...(pinned ? ['taskset', '--cpu-list', String(cpus().length - 1)] : []),
    program,
    JSON.stringify(settings),
  ]
  const measure = async (host: Host, settings: object, pinned: boolean): Promise<Measured> =>
    JSON.parse((await host.exec(argv(settings, pinned), { env, timeout: 60_000 })).stdout) as Measured
  return {
    serve: async (host, port, pinned) => {
      const server = await host.spawn(argv({ mode: 'serve', port }, pinned), { name: 'probe', env })
      await server.line(/^ready$/)
      return server
    },
    first: (host, flows) => measure(host, { mode: 'first', ...flows }, true),
    exchange: (host, flows) => measure(host, { mode: 'exchange', ...flows }, true),
    crowd: (host, flows) => measure(host, { mode: 'crowd', ...flows }, false),
  }
}
