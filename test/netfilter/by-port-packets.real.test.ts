import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { byFamily, emptyTable, type ForwardingTable, forwardingTable } from '../../netfilter/table.ts'
import { type PortRange, withoutTcp } from '../../netfilter/port-ranges.ts'
import { askAll, startEcho, startTraffic } from '../lab/traffic/traffic.ts'
import { noEntries, printLogsOnFailure } from '../lab/vitest.ts'
import { type FirewallName, firewallOf, firewalls } from './firewalls.ts'
import { runIn } from './run-in.ts'
import { own, startTunnelBed, type TunnelBed } from './tunnel-bed.ts'

// Packets from the tailnet through the rules of L3 ingress by port, without a tailnet.
let bed: TunnelBed
beforeAll(async () => {
  bed = await startTunnelBed()
  await startEcho(bed.host('backend'), { ports: [7000, 7001, 7002] })
  await startEcho(bed.host('node'), { ports: [7003] })
})
afterAll(async () => bed.down())
beforeEach(() => printLogsOnFailure(bed))

let writes = 0
const make = (firewall: FirewallName) => {
  const run = runIn(() => bed.host('node'))
  return firewallOf(firewall, (program, args, options) => {
    if (/^nft$|restore$/.test(program) && options?.input !== undefined) writes += 1
    return run(program, args, options)
  })
}
const alive = () => false

/** These ports of the node lead to its backends: the backend's address, and another one that nobody has. */
const byPort = (
  ports: readonly PortRange[],
  more: { 4: string[]; 6: string[] } = { 4: [], 6: [] },
): ForwardingTable => {
  const { v4, v6 } = bed.host('backend').address
  return forwardingTable({
    ...emptyTable,
    ingressByPort: byFamily((family) => ({
      addresses: [family === 4 ? own.v4 : own.v6],
      backends: [String(family === 4 ? v4 : v6), ...more[family]],
      ports,
    })),
  })
}

/** Who answers at a port of the node, in each family: the same, or why nobody does. */
async function answering(protocol: 'tcp' | 'udp', port: number): Promise<string> {
  const answers = await askAll(
    bed.host('peer'),
    [own.v4, own.v6].map((to) => ({ to, port, protocol })),
  )
  const said = answers.map((answer) =>
    answer instanceof Error ? (/E[A-Z]{5,}/.exec(answer.message)?.[0] ?? answer.message) : answer.host,
  )
  return [...new Set(said)].join(' or ')
}

const ports: readonly PortRange[] = [
  { protocol: 'tcp', first: 7000, last: 7001 },
  { protocol: 'tcp', first: 8080, last: 8080, to: 7000 },
  { protocol: 'udp', first: 53, last: 53, to: 7001 },
  { protocol: 'udp', first: 6990, last: 7000 },
]

it.each(firewalls)('%s: listed ports lead to the backend, and all others stay with the node', async (firewall) => {
  const rules = make(firewall)
  await rules.ensure(byPort(ports), alive)
  expect({
    same: await answering('tcp', 7000),
    inRange: await answering('tcp', 7001),
    other: await answering('tcp', 8080),
    unlisted: await answering('tcp', 7002),
    ofTheNode: await answering('tcp', 7003),
    udp: await answering('udp', 7000),
    udpOther: await answering('udp', 53),
    udpUnlisted: await answering('udp', 7001),
    udpOfTheNode: await answering('udp', 7003),
  }).toEqual({
    same: 'backend',
    inRange: 'backend',
    other: 'backend',
    unlisted: 'ECONNREFUSED',
    ofTheNode: 'node',
    udp: 'backend',
    udpOther: 'backend',
    udpUnlisted: 'ECONNREFUSED',
    udpOfTheNode: 'node',
  })
  await rules.remove()
})

it.each(firewalls)('%s: several backends get new flows to any listed port', async (firewall) => {
  const more = { 4: ['10.98.0.101'], 6: ['fd98::101'] }
  const addresses = async (verb: 'add' | 'del'): Promise<void> => {
    for (const address of ['10.98.0.101/24', 'fd98::101/64']) {
      await bed.host('backend').exec(['ip', 'addr', verb, address, 'dev', 'eth0', ...(verb === 'add' ? ['nodad'] : [])])
    }
  }
  await addresses('add')
  const rules = make(firewall)
  await rules.ensure(byPort(ports, more), alive)
  for (const [to, port] of [
    [own.v4, 7000],
    [own.v6, 8080],
  ] as const) {
    const traffic = await startTraffic(bed.host('peer'), {
      to,
      port,
      protocol: 'tcp',
      mode: 'connect',
      every: 2,
      count: 60,
    })
    expect(await traffic.done()).toMatchObject({ answered: 60, lost: 0, errors: noEntries })
    const argv = ['conntrack', '-L', '-p', 'tcp', '--orig-dst', to, '--orig-port-dst', String(port)]
    const { stdout } = await bed.host('node').exec([...argv, '-f', to.includes(':') ? 'ipv6' : 'ipv4'])
    const backends = new Set([...stdout.matchAll(/ dst=\S+ .* src=(\S+) dst=\S+ /g)].map(([, by]) => by))
    expect(backends.size).toBe(2)
  }
  await addresses('del')
  await rules.remove()
})

it.each(firewalls)(
  '%s: a port that is not forwarded any more ends its connections and no others, and is forwarded again later',
  async (firewall) => {
    const rules = make(firewall)
    await rules.ensure(byPort(ports), alive)
    const flows = await Promise.all(
      [7000, 7001].flatMap((port) =>
        [own.v4, own.v6].map((to) => startTraffic(bed.host('peer'), { to, port, protocol: 'tcp', every: 50 })),
      ),
    )
    await expect.poll(() => flows.every(({ report }) => (report?.answered ?? 0) > 5)).toBe(true)
    writes = 0
    expect(await rules.ensure(byPort(withoutTcp(ports, [7001])), alive)).toBe(true)
    // One for each family with iptables.
    expect(writes).toBe(firewall === 'nftables' ? 1 : 2)
    for (const flow of flows.slice(2)) expect(await flow.done()).toMatchObject({ broken: { code: 'ECONNRESET' } })
    expect(await answering('tcp', 7001)).toBe('ECONNREFUSED')
    const then = flows.map(({ report }) => report?.answered ?? 0)
    await expect
      .poll(() => flows.slice(0, 2).every(({ report }, index) => report!.answered > then[index]! + 3))
      .toBe(true)
    await rules.ensure(byPort(ports), alive)
    expect(await answering('tcp', 7001)).toBe('backend')
    for (const flow of flows.slice(0, 2)) expect(await flow.stop()).toMatchObject({ lost: 0, errors: noEntries })
    await rules.remove()
  },
)

it.each(firewalls)('%s: 5,000 ports, one by one and to other ones', async (firewall) => {
  const many = Array.from({ length: 5000 }, (_, index): PortRange => {
    const first = 10_000 + 2 * index
    return { protocol: index % 2 > 0 ? 'udp' : 'tcp', first, last: first, ...(index % 4 < 2 && { to: 7000 }) }
  })
  const listed = [{ protocol: 'tcp', first: 7000, last: 7000 } as const, ...many]
  const sorted = (['tcp', 'udp'] as const).flatMap((one) => listed.filter(({ protocol }) => protocol === one))
  const rules = make(firewall)
  writes = 0
  const began = performance.now()
  await rules.ensure(byPort(sorted), alive)
  console.log(`${firewall}: 5,000 ports of each family in ${Math.round(performance.now() - began)} ms`)
  expect(writes).toBe(firewall === 'nftables' ? 1 : 2)
  expect(await rules.ensure(byPort(sorted), alive)).toBe(false)
  expect(await answering('tcp', 7000)).toBe('backend')
  expect(await answering('tcp', 19_992)).toBe('backend')
  expect(await answering('udp', 19_994)).toBe('backend')
  expect(await answering('tcp', 19_993)).toBe('ECONNREFUSED')
  await rules.remove()
})
