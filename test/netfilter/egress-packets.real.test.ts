import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { RunCommand } from '../../lib/command.ts'
import { firewall } from '../../netfilter/firewall.ts'
import { elementsOf } from '../../netfilter/nftables/elements.ts'
import { nftables } from '../../netfilter/nftables/nftables.ts'
import { renderExchange, renderTable } from '../../netfilter/nftables/render.ts'
import { emptyTable } from '../../netfilter/table.ts'
import { startCapture } from '../lab/traffic/capture.ts'
import { startEcho, startTraffic } from '../lab/traffic/traffic.ts'
import { tellOnFailure } from '../lab/vitest.ts'
import { egressTable } from './tables.ts'
import { peer, runIn, startTunnelBed, type TunnelBed } from './tunnel-bed.ts'

// What the cluster sends through the rules, without a tailnet.
let bed: TunnelBed
beforeAll(async () => {
  bed = await startTunnelBed()
  await startEcho(bed.host('peer'), { ports: [7000, 7001] })
})
afterAll(async () => bed.down())
beforeEach(() => tellOnFailure(bed))

const node = () => bed.host('node').address
const make = (run: RunCommand, isGone = true) =>
  firewall({
    nft: nftables(run),
    run,
    isGone: () => isGone,
    localAddresses: () => [node().v4, node().v6].map(String),
  })

/** The Pod's ports to the same of the peer, with both protocols and families. */
const toPeer = (ports: readonly number[]) => {
  const pairs = (address: string) =>
    ports.flatMap((port) =>
      ['tcp', 'udp'].map((protocol) => [`${protocol} . ${port}`, `${address} . ${port}`] as const),
    )
  return egressTable(pairs(peer.v4), pairs(peer.v6))
}

it('nothing leaves in the clear while a target goes, whichever moment the tunnel loses its way to it', async () => {
  const routes = async (verb: 'add' | 'del'): Promise<void> => {
    for (const to of [peer.v4, peer.v6]) await bed.host('node').exec(['ip', 'route', verb, to, 'dev', 'tailscale0'])
  }
  /** After so many commands the way is lost. */
  let left = Infinity
  const run: RunCommand = async (program, args, options) => {
    const result = await runIn(bed)(program, args, options)
    left -= 1
    if (left === 0) await routes('del')
    // So that each step is seen by packets.
    if (left < 100) await delay(30)
    return result
  }
  const outside = await startCapture(bed.host('node'), 'eth0', `host ${peer.v4} or host ${peer.v6}`)
  for (let moment = 1; ; moment += 1) {
    const rules = make(run)
    left = Infinity
    await rules.ensure(toPeer([7000]))
    const traffic = await Promise.all(
      [node().v4, node().v6].map((to) =>
        startTraffic(bed.host('backend'), { to: String(to), protocol: 'udp', every: 5, patience: 100 }),
      ),
    )
    await expect.poll(() => traffic.every(({ report }) => (report?.answered ?? 0) > 20), { timeout: 5000 }).toBe(true)
    left = moment
    await rules.ensure(emptyTable)
    await delay(50)
    for (const flow of traffic) await flow.stop()
    expect(outside.packets, `the way was lost after ${moment} commands`).toEqual([])
    if (left > 0) break
    await routes('add')
  }
  await outside.stop()
})

/** Datagrams over IPv6 that arrived with a wrong checksum, which is the kernel's doing and no one's loss. */
const spoiled = (): number =>
  bed.hosts
    .map(({ pid }) => /^Udp6InCsumErrors\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/net/snmp6`, 'utf8'))?.[1])
    .reduce((sum, count) => sum + Number(count), 0)

it('50 exchanges of all rules lose nothing of 1,000 ports under load', async () => {
  const rules = make(runIn(bed), false)
  const table = toPeer(Array.from({ length: 500 }, (_, index) => 7000 + index))
  await rules.ensure(table)
  const before = spoiled()
  const ways = (['v4', 'v6'] as const).flatMap((family) =>
    (['tcp', 'udp'] as const).flatMap((protocol) =>
      (['flow', 'connect'] as const).map((mode) => ({ family, protocol, mode })),
    ),
  )
  const traffic = await Promise.all(
    ways.map(({ family, protocol, mode }) => {
      const to = { to: String(node()[family]), port: 7001, protocol, mode }
      // Only what is lost counts, not what a busy machine is late with.
      return startTraffic(bed.host('backend'), { ...to, every: 10, duration: 60_000, patience: 10_000 })
    }),
  )
  for (let round = 0; round < 50; round += 1) {
    expect(await rules.ensure({ ...table, masquerade: round % 2 > 0 })).toBe(true)
  }
  const reports = await Promise.all(traffic.map((flow) => flow.stop()))
  for (const [index, report] of reports.entries()) {
    const { family, protocol, mode } = ways[index]!
    const { sent, answered, broken } = report
    expect(broken).toBeUndefined()
    expect(answered).toBeGreaterThan(100)
    expect(sent - answered, `${family} ${protocol} ${mode}: ${JSON.stringify(report)}`).toBeLessThanOrEqual(
      family === 'v6' && protocol === 'udp' ? spoiled() - before : 0,
    )
  }
})

it('an exchange of all rules refuses no connection that begins in it, however long each is judged', async () => {
  const slow = (transaction: string): string =>
    transaction.replace(/^ *fib daddr type .*$/m, (rule) => Array<string>(300).fill(rule).join('\n'))
  const load = (transaction: string) => runIn(bed)('nft', ['-f', '-'], { input: slow(transaction) })
  const table = toPeer([7001])
  const elements = elementsOf(table)
  await load(renderTable(table))
  const traffic = await Promise.all(
    [node().v4, node().v6].flatMap((to) =>
      [1, 2].map(() => {
        const connect = { to: String(to), port: 7001, protocol: 'tcp', mode: 'connect' } as const
        return startTraffic(bed.host('backend'), { ...connect, every: 2, patience: 10_000 })
      }),
    ),
  )
  for (let round = 0; round < 100; round += 1) {
    await load(renderExchange({ ...table, masquerade: round % 2 > 0 }, elements, elements))
  }
  const reports = await Promise.all(traffic.map((flow) => flow.stop()))
  for (const { sent, answered, errors } of reports) {
    expect({ answered, errors }).toEqual({ answered: sent, errors: {} })
    expect(sent).toBeGreaterThan(100)
  }
})
