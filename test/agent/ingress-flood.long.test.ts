import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { startEcho, startTraffic } from '../lab/traffic/traffic.ts'
import { noEntries, printLogsOnFailure } from '../lab/vitest.ts'
import type { Flood } from './programs/flood.ts'
import { Proxy } from './proxy.ts'
import { program } from './serving.ts'

const port = 7000
/** The most UDP clients that the agent has. */
const most = 10_000

let bed: Bed<'client' | 'proxy' | 'backend'>
beforeAll(async () => {
  const cluster = { network: 'cluster' } as const
  const client = { network: 'wan', tailscaled: true } as const
  bed = await startBed({ hosts: { client, proxy: cluster, backend: cluster } })
  await startEcho(bed.host('backend'))
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

async function start(): Promise<Proxy> {
  const started = await Proxy.start(bed, {
    TS_USERSPACE: 'true',
    TS_AUTHKEY: await bed.authKey(),
    TS_DEST_IP: bed.host('backend').address.v4!,
    CULVERT_DEST_PORTS: `udp/${port}`,
  })
  await started.until(({ ready }) => ready)
  return started
}

/** MiB of the agent. */
const memoryOf = ({ process: { pid } }: Proxy): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024

type Flooded = { readonly sent: number; readonly answered: number }

async function flood(host: 'client' | 'proxy', settings: Omit<Flood, 'port' | 'atOnce'>): Promise<Flooded> {
  const all: Flood = { ...settings, port, atOnce: 32 }
  const { stdout } = await bed.host(host).exec([process.execPath, program('flood.ts'), JSON.stringify(all)], {
    timeout: 10 * 60_000,
  })
  return JSON.parse(stdout) as Flooded
}

/** What the agent says of its UDP clients. */
type Counted = { readonly relay: { readonly sessions: number; readonly evictedSessions: number } }
const counted = async (proxy: Proxy): Promise<Counted['relay']> => ((await proxy.status()) as unknown as Counted).relay

it('100,000 clients cost those that were idle longest, and no more memory', async () => {
  await using proxy = await start()
  const to = '127.0.0.1'
  // None of them is one that the kernel chooses for other sockets.
  const ports = [2001, 27_000] as const
  const busy = await startTraffic(proxy.host, { to, port, protocol: 'udp' })
  const memory: number[] = []
  for (const half of [1, 3]) {
    const from = [`127.0.1.${half}`, `127.0.1.${half + 1}`]
    expect(await flood('proxy', { to, from, ports })).toEqual({ sent: 50_000, answered: 50_000 })
    memory.push(memoryOf(proxy))
  }
  expect(await busy.stop()).toMatchObject({ lost: 0, errors: noEntries })
  // One client more would be counted if the busy one had been given up.
  await expect.poll(() => counted(proxy)).toMatchObject({ sessions: most, evictedSessions: 100_001 - most })
  expect(memory[1]! / memory[0]!).toBeLessThan(1.5)
  expect(proxy.lines.join('\n')).toContain('those that were idle longest are given up')
})

// tailscaled has a socket for each of them: with more, it would be the first that can open no more files.
it('15,000 clients of the tailnet do not end a session that is in use', async () => {
  await using proxy = await start()
  const { v4: to } = await proxy.own()
  const busy = await startTraffic(bed.host('client'), { to, port, protocol: 'udp' })
  const from = (await bed.control.node('client')).addresses.map((prefix) => prefix.split('/')[0]!)
  const { sent } = await flood('client', {
    to,
    from: from.filter((one) => one.includes('.')),
    ports: [10_001, 25_000],
  })
  expect(sent).toBe(15_000)
  const before = busy.report!.answered
  await expect.poll(() => busy.report!.answered).toBeGreaterThan(before)
  await busy.stop()
  await expect.poll(() => counted(proxy)).toMatchObject({ sessions: most })
  expect((await counted(proxy)).evictedSessions).toBeLessThanOrEqual(sent + 1 - most)
})
