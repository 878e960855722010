import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { HostProcess } from '../test/lab/bed.ts'
import type { BenchBed } from './bench-bed.ts'
import { compileCache, type Contestant, type ContestantName } from './contestant.ts'
import { Proxy } from './proxy.ts'
import type { Row, Section } from './section.ts'

/** MiB: all pages that are in memory, and those of them that no file backs. */
type Memory = { readonly resident: number; readonly anonymous: number }
type Measured = Readonly<Record<ContestantName | 'bare' | 'lean', Memory>>

const server = join(import.meta.dirname, 'programs', 'http-server.mjs')

/** Memory of every contestant's own process, ready and idle for `idle` seconds, beside a bare Node HTTP server. */
export async function measureMemory(
  bed: BenchBed,
  all: Readonly<Record<ContestantName, Contestant>>,
  { repeats, idle }: { repeats: number; idle: number },
  note: (detail: string) => void,
): Promise<Section[]> {
  const measured: Measured[] = []
  for (let repeat = 1; repeat <= repeats; repeat += 1) {
    note(`${repeat} of ${repeats}, ${idle} s of idling`)
    measured.push(await once(bed, all, idle))
  }
  const rows = (ours: ContestantName, other: keyof Measured, how: string): Row[] =>
    (['resident', 'anonymous'] as const).map((kind) => ({
      what: `${kind}${how}`,
      unit: 'MiB',
      better: 'less',
      ours: measured.map((one) => one[ours][kind]),
      other: measured.map((one) => one[other][kind]),
    }))
  return [
    {
      title: 'Memory of the agent’s process',
      against: 'upstream',
      rows: [...rows('ours', 'upstream', ''), ...rows('cached', 'upstream', ', warm compile cache')],
      note: `VmRSS and RssAnon of the agent alone, without tailscaled, ready and then idle for ${idle} s.`,
    },
    {
      title: 'Memory beside a bare Node',
      against: 'bare Node',
      rows: [...rows('cached', 'bare', ''), ...rows('cached', 'lean', ', node:http without its ESM namespace')],
      note:
        'The same moment; the other side is an HTTP server of Node alone, and both have a warm compile cache. ' +
        '`import … from "node:http"` loads Node’s fetch and WebSocket too, which `require` does not: hence two of them.',
    },
  ]
}

async function once(bed: BenchBed, all: Record<ContestantName, Contestant>, idle: number): Promise<Measured> {
  const bare = await bareServer(bed, [])
  const lean = await bareServer(bed, ['lean'])
  await using ours = await Proxy.start(bed, all.ours, 'v4')
  await using cached = await Proxy.start(bed, all.cached, 'v4')
  await using upstream = await Proxy.start(bed, all.upstream, 'v4')
  await delay(idle * 1000)
  const measured = {
    ours: await memory(ours.process),
    cached: await memory(cached.process),
    upstream: await memory(upstream.process),
    bare: await memory(bare),
    lean: await memory(lean),
  }
  await bare.stop()
  await lean.stop()
  return measured
}

async function bareServer(bed: BenchBed, args: readonly string[]): Promise<HostProcess> {
  const argv = [process.execPath, server, ...args]
  const started = await bed.host('backend').spawn(argv, { name: 'http-server', env: compileCache })
  await started.line(/^ready$/)
  return started
}

async function memory({ pid, name }: HostProcess): Promise<Memory> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const field = (key: string): number => {
    const match = new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(status)
    if (match?.[1] === undefined) throw new Error(`the status of ${name} has no ${key}`)
    return Number(match[1]) / 1024
  }
  return { resident: field('VmRSS'), anonymous: field('RssAnon') }
}
