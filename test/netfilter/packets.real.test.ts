import { execa } from 'execa'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { RunCommand } from '../../lib/command.ts'
import { firewall } from '../../netfilter/firewall.ts'
import { nftables } from '../../netfilter/nftables/nftables.ts'
import { emptyTable } from '../../netfilter/table.ts'
import { type Bed, startBed } from '../lab/bed.ts'
import { startEcho, startTraffic } from '../lab/traffic/traffic.ts'
import { ingressTable } from './tables.ts'

// Packets through the rules without a tailnet: a plain link stands in for the tunnel, so that each moment can be chosen.
let bed: Bed<'peer' | 'node' | 'backend'>
const run: RunCommand = async (program, args, { input } = {}) =>
  (await bed.host('node').exec([program, ...args], input === undefined ? {} : { input })).stdout

const own = { v4: '100.64.0.1', v6: 'fd7a:115c:a1e0::1' }
const client = { v4: '100.64.0.2', v6: 'fd7a:115c:a1e0::2' }
const make = () => firewall({ nft: nftables(run), run, isGone: () => true, localAddresses: () => [] })
const toBackend = () =>
  ingressTable([[own.v4, String(bed.host('backend').address.v4)]], [[own.v6, String(bed.host('backend').address.v6)]])

beforeAll(async () => {
  bed = await startBed({
    hosts: { peer: { network: 'wan' }, node: { network: 'cluster' }, backend: { network: 'cluster' } },
  })
  const [node, peer] = [bed.host('node'), bed.host('peer')]
  const link = ['ip', 'link', 'add', 'tailscale0', 'type', 'veth', 'peer', 'name', 'tunnel', 'netns', String(peer.pid)]
  await execa('nsenter', [`--net=/proc/${node.pid}/ns/net`, '--', ...link])
  const configure = async (host: typeof node, device: string, here: typeof own, there: typeof own) => {
    await host.exec(['ip', 'link', 'set', device, 'up'])
    for (const address of [here.v4, here.v6]) await host.exec(['ip', 'addr', 'add', address, 'dev', device])
    for (const address of [there.v4, there.v6]) await host.exec(['ip', 'route', 'add', address, 'dev', device])
  }
  await configure(node, 'tailscale0', own, client)
  await configure(peer, 'tunnel', client, own)
  await node.exec(['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'])
  await startEcho(bed.host('backend'))
})
afterAll(async () => bed.down())

it('UDP flows that began before their rule are translated once it is there', async () => {
  const rules = make()
  await rules.prepare()
  const flows = await Promise.all(
    [own.v4, own.v6].map((to) =>
      startTraffic(bed.host('peer'), { to, protocol: 'udp', every: 50, duration: 30_000, patience: 500 }),
    ),
  )
  await new Promise((resolve) => setTimeout(resolve, 1000))
  for (const { report } of flows) expect(report?.answered).toBe(0)
  await rules.ensure(toBackend())
  await expect
    .poll(() => flows.map(({ report }) => (report?.answered ?? 0) > 10), { timeout: 5000 })
    .toEqual([true, true])
  for (const flow of flows) await flow.stop()
  await rules.remove()
})

it('a flow ends with its translation, and with an answer instead of silence', async () => {
  const rules = make()
  await rules.ensure(toBackend())
  const flows = await Promise.all(
    [own.v4, own.v6].map((to) => startTraffic(bed.host('peer'), { to, protocol: 'tcp', every: 50, duration: 30_000 })),
  )
  await expect
    .poll(() => flows.map(({ report }) => (report?.answered ?? 0) > 5), { timeout: 5000 })
    .toEqual([true, true])
  await rules.ensure(emptyTable)
  for (const flow of flows) expect(await flow.done()).toMatchObject({ broken: { code: 'ECONNRESET' } })
  await rules.remove()
})
