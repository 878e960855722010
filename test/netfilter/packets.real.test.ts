import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { IsGone } from '../../netfilter/flows.ts'
import { emptyTable, forwardingTable } from '../../netfilter/table.ts'
import { ask, startEcho, startTraffic } from '../lab/traffic/traffic.ts'
import { type FirewallName, firewallOf, firewalls } from './firewalls.ts'
import { ingressTable } from './tables.ts'
import { runIn } from './run-in.ts'
import { own, startTunnelBed, type TunnelBed } from './tunnel-bed.ts'
import { noEntries } from '../lab/vitest.ts'

// Packets through the rules, without a tailnet.
let bed: TunnelBed
beforeAll(async () => {
  bed = await startTunnelBed()
  await startEcho(bed.host('backend'))
})
afterAll(async () => bed.down())

const gone = () => true
const make = (firewall: FirewallName) =>
  firewallOf(
    firewall,
    runIn(() => bed.host('node')),
  )
const toBackend = () =>
  ingressTable([[own.v4, String(bed.host('backend').address.v4)]], [[own.v6, String(bed.host('backend').address.v6)]])

it.each(firewalls)('%s: UDP flows that began before their rule are translated once it exists', async (firewall) => {
  const rules = make(firewall)
  await rules.prepare(emptyTable.device)
  const flows = await Promise.all(
    [own.v4, own.v6].map((to) => startTraffic(bed.host('peer'), { to, protocol: 'udp', every: 50 })),
  )
  await expect.poll(() => flows.map(({ report }) => (report?.sent ?? 0) > 20)).toEqual([true, true])
  for (const { report } of flows) expect(report?.answered).toBe(0)
  await rules.ensure(toBackend(), gone)
  await expect.poll(() => flows.map(({ report }) => (report?.answered ?? 0) > 10)).toEqual([true, true])
  for (const flow of flows) await flow.stop()
  await rules.remove()
})

it.each(firewalls)(
  '%s: a flow ends with its translation, and the next packet is refused instead of dropped',
  async (firewall) => {
    const rules = make(firewall)
    await rules.ensure(toBackend(), gone)
    const flows = await Promise.all(
      [own.v4, own.v6].map((to) => startTraffic(bed.host('peer'), { to, protocol: 'tcp', every: 50 })),
    )
    await expect.poll(() => flows.map(({ report }) => (report?.answered ?? 0) > 5)).toEqual([true, true])
    await rules.ensure(emptyTable, gone)
    for (const flow of flows) expect(await flow.done()).toMatchObject({ broken: { code: 'ECONNRESET' } })
    await rules.remove()
  },
)

// The kernel asks the newest of equal hooks first; those of iptables-legacy stay in the namespace.
it.each([
  ...(['nftables', 'iptables-nft'] as const).flatMap((firewall) =>
    ['iptables-nft', 'iptables-legacy', 'nft'].map((other) => [firewall, other] as const),
  ),
  ['iptables-legacy', 'iptables-legacy'] as const,
])(
  '%s: packets for an own address are translated before a service mesh redirects them by %s',
  async (firewall, other) => {
    const run = (...argv: string[]) => bed.host('node').exec(argv)
    const mesh = async (verb: '-A' | '-D'): Promise<void> => {
      const redirect = ['PREROUTING', '-p', 'tcp', '-j', 'REDIRECT', '--to-ports', '15006']
      for (const program of [other, other.replace('ip', 'ip6')]) await run(program, '-t', 'nat', verb, ...redirect)
    }
    const table =
      'table inet mesh { chain c { type nat hook prerouting priority dstnat; meta l4proto tcp redirect to 15006; }; }'
    await run('nft', 'flush', 'ruleset')
    await (other === 'nft' ? run('nft', table) : mesh('-A'))
    const rules = make(firewall)
    await rules.ensure(toBackend(), gone)
    for (const to of [own.v4, own.v6])
      expect(await ask(bed.host('peer'), { to, protocol: 'tcp' })).toMatchObject({ host: 'backend' })
    await rules.remove()
    await (other === 'nft' ? run('nft', 'delete', 'table', 'inet', 'mesh') : mesh('-D'))
  },
)

/** Adds addresses to the host `backend`, each as another backend; `last`: the last parts of the addresses. */
async function addBackends(...last: number[]): Promise<{ v4: string[]; v6: string[] }> {
  const [v4, v6] = [last.map((one) => `10.98.0.${one}`), last.map((one) => `fd98::${one}`)]
  for (const address of [...v4.map((one) => `${one}/24`), ...v6.map((one) => `${one}/64`)]) {
    await bed.host('backend').exec(['ip', 'addr', 'replace', address, 'dev', 'eth0', 'nodad'])
  }
  // The echo server answers UDP from its first address; connection tracking restores the address that was asked.
  const restoreAskedAddress = `table inet lab {
    chain prerouting { type nat hook prerouting priority dstnat; ip daddr 10.98.0.101-10.98.0.104 redirect; ip6 daddr fd98::101-fd98::104 redirect; }
  }`
  await bed
    .host('backend')
    .exec(['nft', '-f', '-'], { input: `table inet lab\ndelete table inet lab\n${restoreAskedAddress}` })
  return { v4, v6 }
}

/** Counts the flows to `to` by the backend to which they were translated. */
async function translated(to: string): Promise<Map<string, number>> {
  const { stdout } = await bed
    .host('node')
    .exec(['conntrack', '-L', '--orig-dst', to, '-f', to.includes(':') ? 'ipv6' : 'ipv4'])
  const counts = new Map<string, number>()
  for (const [, by = ''] of stdout.matchAll(/ dst=\S+ .* src=(\S+) dst=\S+ /g))
    counts.set(by, (counts.get(by) ?? 0) + 1)
  return counts
}

const spreadTable = (v4: readonly string[], v6: readonly string[]) =>
  forwardingTable({ ...emptyTable, ingress: { 4: new Map([[own.v4, v4]]), 6: new Map([[own.v6, v6]]) } })

describe('several backends', () => {
  it.each(firewalls)('%s: get equal shares of new flows, in both families', async (firewall) => {
    const { v4, v6 } = await addBackends(101, 102, 103)
    const rules = make(firewall)
    await rules.ensure(spreadTable(v4, v6), gone)
    for (const [to, backends, protocol] of [
      [own.v4, v4, 'tcp'],
      [own.v6, v6, 'udp'],
    ] as const) {
      const traffic = await startTraffic(bed.host('peer'), { to, protocol, mode: 'connect', every: 2, count: 300 })
      expect(await traffic.done()).toMatchObject({ answered: 300, lost: 0, errors: noEntries })
      const counts = await translated(to)
      expect([...counts.keys()].toSorted()).toEqual([...backends].toSorted())
      // Six times the standard deviation of a fair choice, which is 8.2.
      for (const count of counts.values()) expect(Math.abs(count - 100)).toBeLessThan(50)
    }
    await rules.remove()
  })

  it.each(firewalls)('%s: keep their flows when one is added and another is removed', async (firewall) => {
    const { v4, v6 } = await addBackends(101, 102, 103, 104)
    const rules = make(firewall)
    await rules.ensure(spreadTable(v4.slice(0, 3), v6.slice(0, 3)), () => false)
    const flows = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        startTraffic(bed.host('peer'), { to: index % 2 === 0 ? own.v4 : own.v6, protocol: 'tcp', every: 50 }),
      ),
    )
    const answered = () => flows.map(({ report }) => report?.answered ?? 0)
    await expect.poll(() => Math.min(...answered())).toBeGreaterThan(3)
    const before = { 4: await translated(own.v4), 6: await translated(own.v6) }
    const flowsOfFirst = { 4: before[4].get(v4[0]!) ?? 0, 6: before[6].get(v6[0]!) ?? 0 }

    // The first is removed and the fourth added; connections to the first go on.
    await rules.ensure(spreadTable(v4.slice(1), v6.slice(1)), () => false)
    const then = answered()
    await expect.poll(() => answered().every((count, index) => count > then[index]! + 3)).toBe(true)
    expect({ 4: await translated(own.v4), 6: await translated(own.v6) }).toEqual(before)
    const fresh = await startTraffic(bed.host('peer'), {
      to: own.v4,
      protocol: 'tcp',
      mode: 'connect',
      every: 2,
      count: 60,
    })
    expect(await fresh.done()).toMatchObject({ answered: 60 })
    expect((await translated(own.v4)).get(v4[0]!) ?? 0).toBe(flowsOfFirst[4])

    // Once it is gone for good, the rules are the same, but its connections end with a reset, and no others.
    const goneFirst: IsGone = (kind, { text }) => kind === 'backend' && [v4[0], v6[0]].includes(text)
    expect(await rules.ensure(spreadTable(v4.slice(1), v6.slice(1)), goneFirst)).toBe(false)
    const broken = () => flows.filter(({ report }) => report?.broken?.code === 'ECONNRESET').length
    await expect.poll(broken).toBe(flowsOfFirst[4] + flowsOfFirst[6])
    const last = answered()
    await expect
      .poll(() => flows.filter((_flow, index) => answered()[index]! > last[index]! + 3).length)
      .toBe(12 - flowsOfFirst[4] - flowsOfFirst[6])
    for (const flow of flows) await flow.abandon()
    await rules.remove()
  })
})
