import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { HostProcess } from '../test/lab/bed.ts'
import type { BenchBed } from './bench-bed.ts'
import { compileCache, type Contestant, type ContestantName } from './contestant.ts'
import { type Memory, memoryOf, memoryRows } from './process-memory.ts'
import { Proxy } from './proxy.ts'
import type { Section } from './section.ts'

/** Of each repeat, for all contestants at the same time. */
export type HostMemory = Readonly<Record<ContestantName | 'bare' | 'lean', readonly Memory[]>>

const server = join(import.meta.dirname, 'programs', 'http-server.mjs')

/** Memory of every contestant's own process, ready and idle for `idle` seconds, and of a bare Node HTTP server. */
export async function measureMemory(
  bed: BenchBed,
  all: Readonly<Record<ContestantName, Contestant>>,
  { repeats, idle }: { repeats: number; idle: number },
  note: (detail: string) => void,
): Promise<HostMemory> {
  const measured = { ours: [], cached: [], upstream: [], bare: [], lean: [] } as Record<keyof HostMemory, Memory[]>
  for (let repeat = 1; repeat <= repeats; repeat += 1) {
    note(`${repeat} of ${repeats}, ${idle} s of idling`)
    const bare = await bareServer(bed, [])
    const lean = await bareServer(bed, ['lean'])
    await using ours = await Proxy.start(bed, all.ours, 'v4')
    await using cached = await Proxy.start(bed, all.cached, 'v4')
    await using upstream = await Proxy.start(bed, all.upstream, 'v4')
    await delay(idle * 1000)
    measured.ours.push(await memoryOf(ours.process))
    measured.cached.push(await memoryOf(cached.process))
    measured.upstream.push(await memoryOf(upstream.process))
    measured.bare.push(await memoryOf(bare))
    measured.lean.push(await memoryOf(lean))
    await bare.stop()
    await lean.stop()
  }
  return measured
}

export function memorySections({ ours, cached, upstream, bare, lean }: HostMemory, idle: number): Section[] {
  return [
    {
      title: 'Memory of the agent’s process',
      against: 'upstream',
      rows: [...memoryRows(ours, upstream), ...memoryRows(cached, upstream, ', warm compile cache')],
      note: `VmRSS and RssAnon of the agent alone, without tailscaled, ready and then idle for ${idle} s.`,
    },
    {
      title: 'Memory compared with a bare Node',
      against: 'bare Node',
      rows: [...memoryRows(cached, bare), ...memoryRows(cached, lean, ', node:http without its ESM namespace')],
      note:
        'Measured at the same time; the other side is a plain HTTP server under Node, and both have a warm compile cache. ' +
        'It is measured with `import … from "node:http"`, which also loads Node’s fetch and WebSocket, and with `require`, ' +
        'which does not.',
    },
  ]
}

async function bareServer(bed: BenchBed, args: readonly string[]): Promise<HostProcess> {
  const argv = [process.execPath, server, ...args]
  const started = await bed.host('backend').spawn(argv, { name: 'http-server', env: compileCache })
  await started.line(/^ready$/)
  return started
}
