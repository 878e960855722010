import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { trafficCounters } from '../../../netfilter/nftables/traffic.ts'
import { forwardingTable } from '../../../netfilter/table.ts'
import type { CountedModes, Counts } from '../../../netfilter/traffic.ts'
import { ask, startEcho, startTraffic } from '../../lab/traffic/traffic.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { rulesOf, toPeer } from '../exchanges.ts'
import { runIn } from '../run-in.ts'
import { ingressTable } from '../tables.ts'
import { own, startTunnelBed, type TunnelBed } from '../tunnel-bed.ts'

// Packets through the rules, without a tailnet.
let bed: TunnelBed
beforeAll(async () => {
  bed = await startTunnelBed()
  await Promise.all((['peer', 'backend'] as const).map((host) => startEcho(bed.host(host))))
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

const run = runIn(() => bed.host('node'))
let counters = trafficCounters(run)
beforeEach(() => {
  counters = trafficCounters(run)
})
afterEach(async () => {
  await rulesOf(bed, run, 'nftables').remove()
  await counters.remove()
})

const families = ['v4', 'v6'] as const
const modes: CountedModes = { device: 'tailscale0', ingress: false, egress: 'by-port', unmapped: false }
const all = (address: Readonly<Record<'v4' | 'v6', string | undefined>>) => [String(address.v4), String(address.v6)]

/** Sends a number of messages, each of which comes back, and gives how many bytes each way took, headers left out. */
async function exchange(from: 'backend' | 'peer', to: string, protocol: 'tcp' | 'udp', padding: number) {
  const count = 20
  const traffic = await startTraffic(bed.host(from), { to, protocol, padding, count, every: 1 })
  expect(await traffic.done()).toMatchObject({ answered: count, lost: 0 })
  return count * padding
}

/** The bytes of these messages, and no more than headers and names in addition. */
const about = (bytes: number) =>
  expect.toSatisfy((counted: number) => counted > bytes && counted < 1.2 * bytes, `about ${bytes}`) as number

const carried = (bytes: number): Partial<Counts> => ({
  toBytes: about(bytes),
  fromBytes: about(bytes),
  connections: 1,
  refused: 0,
})

it('into the tailnet, bytes, connections and refusals are counted for each port, protocol and family', async () => {
  await rulesOf(bed, run, 'nftables').ensure(toPeer([7000, 7001]), () => false)
  await counters.begin(modes)
  expect(await counters.read()).toEqual(new Map())
  const [v4, v6] = all(bed.host('node').address)
  const tcp = await exchange('backend', v4!, 'tcp', 100_000)
  const udp = await exchange('backend', v6!, 'udp', 1000)
  // Nothing listens at this port of the peer.
  for (const [to, protocol, times] of [
    [v4!, 'tcp', 3],
    [v6!, 'tcp', 1],
    [v6!, 'udp', 1],
  ] as const) {
    for (let time = 0; time < times; time += 1)
      await expect(ask(bed.host('backend'), { to, protocol, port: 7001 })).rejects.toThrow('ECONNREFUSED')
  }
  const read = await counters.read()
  expect([...read!.keys()].toSorted()).toEqual([
    'IPv4 tcp/7000',
    'IPv4 tcp/7001',
    'IPv6 tcp/7001',
    'IPv6 udp/7000',
    'IPv6 udp/7001',
  ])
  expect(read!.get('IPv4 tcp/7000')).toMatchObject(carried(tcp))
  expect(read!.get('IPv6 udp/7000')).toMatchObject(carried(udp))
  expect(read!.get('IPv4 tcp/7001')).toMatchObject({ connections: 3, refused: 3, toPackets: 3, fromPackets: 3 })
  expect(read!.get('IPv6 tcp/7001')).toMatchObject({ connections: 1, refused: 1 })
  expect(read!.get('IPv6 udp/7001')).toMatchObject({ refused: expect.toSatisfy((count: number) => count > 0) })
})

it('into the tailnet, all that goes to one target is counted together', async () => {
  await rulesOf(bed, run, 'nftables').ensure(toPeer([7000]), () => false)
  await counters.begin({ ...modes, egress: 'together' })
  const [v4] = all(bed.host('node').address)
  const tcp = await exchange('backend', v4!, 'tcp', 100_000)
  expect(await counters.read()).toEqual(new Map([['IPv4', expect.objectContaining(carried(tcp))]]))
})

it('out of the tailnet, everything is counted for each address, and what has no mapping as refused', async () => {
  const [v4, v6] = all(bed.host('backend').address)
  const table = ingressTable([[own.v4, v4!]], [[own.v6, v6!]])
  await rulesOf(bed, run, 'nftables').ensure(forwardingTable({ ...table, refuseUnmapped: true }), () => false)
  await counters.begin({ ...modes, ingress: true, egress: undefined, unmapped: true })
  const absent = { v4: '100.64.0.77', v6: 'fd7a:115c:a1e0::77' }
  for (const family of families) {
    await bed.host('peer').exec(['ip', 'route', 'add', absent[family], 'via', own[family], 'dev', 'tunnel'])
    await exchange('peer', own[family], 'tcp', 50_000)
    await expect(ask(bed.host('peer'), { to: own[family], protocol: 'tcp', port: 7001 })).rejects.toThrow()
    await expect(ask(bed.host('peer'), { to: absent[family], protocol: 'tcp' })).rejects.toThrow('ECONNREFUSED')
  }
  const read = await counters.read()
  const bytes = about(20 * 50_000)
  const both = { toBytes: bytes, fromBytes: bytes, connections: 2, refused: 1 }
  expect(read).toEqual(
    new Map<string, unknown>([
      ['unmapped', expect.objectContaining({ refused: 2, connections: 0 })],
      [own.v4, expect.objectContaining(both)],
      [own.v6, expect.objectContaining(both)],
    ]),
  )
})

it('counters that another program removes can begin anew, and none are made after their removal', async () => {
  await counters.begin(modes)
  await run('nft', ['delete', 'table', 'inet', 'culvert-traffic'])
  expect(await counters.read()).toBeUndefined()
  await counters.begin(modes)
  expect(await counters.read()).toEqual(new Map())
  await counters.remove()
  await counters.begin(modes)
  expect(await run('nft', ['list', 'tables'])).toBe('')
})

it('while they count, the rules need no repair', async () => {
  const rules = rulesOf(bed, run, 'nftables')
  await rules.ensure(toPeer([7000]), () => false)
  await counters.begin({ ...modes, ingress: true, unmapped: true })
  rules.invalidate()
  expect(await rules.ensure(toPeer([7000]), () => false)).toBe(false)
})
