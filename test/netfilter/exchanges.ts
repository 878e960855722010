import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import type { RunCommand } from '../../lib/command.ts'
import type { Firewall } from '../../netfilter/firewall.ts'
import { elementsOf } from '../../netfilter/nftables/elements.ts'
import { renderExchange, renderTable } from '../../netfilter/nftables/render.ts'
import { startTraffic } from '../lab/traffic/traffic.ts'
import { type FirewallName, firewallOf } from './firewalls.ts'
import { egressTable } from './tables.ts'
import { runIn } from './run-in.ts'
import { peer, type TunnelBed } from './tunnel-bed.ts'

/** Maps the Pod's ports to the same ports of the peer, for both protocols and families. */
export function toPeer(ports: readonly number[]) {
  const pairs = (address: string) =>
    ports.flatMap((port) =>
      ['tcp', 'udp'].map((protocol) => [`${protocol} . ${port}`, `${address} . ${port}`] as const),
    )
  return egressTable(pairs(peer.v4), pairs(peer.v6))
}

/** The rules of the bed's node, written through `run`. */
export function rulesOf(bed: TunnelBed, run: RunCommand, firewall: FirewallName): Firewall {
  const { v4, v6 } = bed.host('node').address
  return firewallOf(firewall, run, () => [v4, v6].map(String))
}

const inNode = (bed: TunnelBed): RunCommand => runIn(() => bed.host('node'))

/** Datagrams over IPv6 that arrived with a wrong checksum: a fault of the kernel, and no loss of ours. */
const badChecksums = (bed: TunnelBed): number =>
  bed.hosts
    .map(({ pid }) => /^Udp6InCsumErrors\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/net/snmp6`, 'utf8'))?.[1])
    .reduce((sum, count) => sum + Number(count), 0)

/** Replaces all rules of 1,000 ports this many times under load, and expects no loss. */
export async function exchangeUnderLoad(
  bed: TunnelBed,
  times: number,
  firewall: FirewallName = 'nftables',
): Promise<void> {
  const alive = () => false
  const rules = rulesOf(bed, inNode(bed), firewall)
  const table = toPeer(Array.from({ length: 500 }, (_, index) => 7000 + index))
  const few = toPeer([7000, 7001])
  await rules.ensure(table, alive)
  const before = badChecksums(bed)
  const ways = (['v4', 'v6'] as const).flatMap((family) =>
    (['tcp', 'udp'] as const).flatMap((protocol) =>
      (['flow', 'connect'] as const).map((mode) => ({ family, protocol, mode })),
    ),
  )
  const traffic = await Promise.all(
    ways.map(({ family, protocol, mode }) => {
      const to = { to: String(bed.host('node').address[family]), port: 7001, protocol, mode }
      return startTraffic(bed.host('backend'), { ...to, every: 10 })
    }),
  )
  for (let round = 0; round < times; round += 1) {
    // Rules, and with iptables also the branches of the port in use.
    const next = { ...(round % 2 > 0 ? table : few), masquerade: round % 2 > 0 }
    expect(await rules.ensure(next, alive)).toBe(true)
  }
  const reports = await Promise.all(traffic.map((flow) => flow.stop()))
  await rules.remove()
  for (const [index, report] of reports.entries()) {
    const { family, protocol, mode } = ways[index]!
    const { sent, answered, broken } = report
    expect(broken).toBeUndefined()
    expect(answered).toBeGreaterThan(times)
    expect(sent - answered, `${family} ${protocol} ${mode}: ${JSON.stringify(report)}`).toBeLessThanOrEqual(
      family === 'v6' && protocol === 'udp' ? badChecksums(bed) - before : 0,
    )
  }
}

/** Replaces rules that take long to evaluate this many times, and expects that no new connection is refused. */
export async function exchangeSlowRules(bed: TunnelBed, times: number): Promise<void> {
  const slow = (transaction: string): string =>
    transaction.replace(/^ *fib daddr type .*$/m, (rule) => Array<string>(300).fill(rule).join('\n'))
  const load = (transaction: string) => inNode(bed)('nft', ['-f', '-'], { input: slow(transaction) })
  const table = toPeer([7001])
  const elements = elementsOf(table)
  await load(renderTable(table))
  const { v4, v6 } = bed.host('node').address
  const traffic = await Promise.all(
    [v4, v6].flatMap((to) =>
      [1, 2].map(() => {
        const connect = { to: String(to), port: 7001, protocol: 'tcp', mode: 'connect' } as const
        return startTraffic(bed.host('backend'), { ...connect, every: 2 })
      }),
    ),
  )
  for (let round = 0; round < times; round += 1) {
    await load(renderExchange({ ...table, masquerade: round % 2 > 0 }, elements, elements))
  }
  const reports = await Promise.all(traffic.map((flow) => flow.stop()))
  for (const { sent, answered, errors } of reports) {
    expect({ answered, errors }).toEqual({ answered: sent, errors: {} })
    expect(sent).toBeGreaterThan(times)
  }
}
