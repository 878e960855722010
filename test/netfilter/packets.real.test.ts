import { afterAll, beforeAll, expect, it } from 'vitest'
import { emptyTable } from '../../netfilter/table.ts'
import { startEcho, startTraffic } from '../lab/traffic/traffic.ts'
import { type FirewallName, firewallOf, firewalls } from './firewalls.ts'
import { ingressTable } from './tables.ts'
import { runIn } from './run-in.ts'
import { own, startTunnelBed, type TunnelBed } from './tunnel-bed.ts'

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
