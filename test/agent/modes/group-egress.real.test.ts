import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { hostsServices } from '../../lab/release.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { expectCounted } from '../counted.ts'
import { type EgressEntry, egressEntry, Group } from '../group.ts'
import { type Environment, Proxy } from '../proxy.ts'
import {
  addressesOf,
  answered,
  failing,
  type Family,
  type Combination,
  working,
  largeMessagesPass,
  type ModesBed,
  podEnv,
  routed,
  site,
  startModes,
  web,
} from './combinations.ts'

// ProxyGroup egress: each port of the Pod is mapped to a port of a target in the tailnet.
type Service = {
  readonly name: string
  readonly target: EgressEntry['tailnetTarget']
  readonly matchPort: number
  readonly targetPort: number
  readonly host: 'db' | 'router'
  readonly families: readonly Family[]
}

let bed: ModesBed
/** All kinds of targets, in one replica; two services share a target with different ports. */
let services: readonly Service[]
beforeAll(async () => {
  bed = await startModes({ cluster: { nodes: 0 } })
  const db = await addressesOf(bed, 'db')
  const both = ['v4', 'v6'] as const
  const targets: readonly Pick<Service, 'name' | 'target' | 'host' | 'families'>[] = [
    { name: 'node', target: { fqdn: 'db.lab.ts.net' }, host: 'db', families: both },
    { name: 'node-again', target: { fqdn: 'DB.lab.ts.net.' }, host: 'db', families: both },
    { name: 'node-by-v4', target: { ip: db.v4 }, host: 'db', families: ['v4'] },
    { name: 'node-by-v6', target: { ip: db.v6 }, host: 'db', families: ['v6'] },
    ...(hostsServices
      ? [{ name: 'tailscale-service', target: { fqdn: web.name }, host: 'router', families: both } as const]
      : []),
    { name: 'site-by-4via6', target: { fqdn: site }, host: 'router', families: ['v6'] },
    { name: 'route-by-v4', target: { ip: routed.v4 }, host: 'router', families: ['v4'] },
    { name: 'route-by-v6', target: { ip: routed.v6 }, host: 'router', families: ['v6'] },
  ]
  services = targets.map((target, index) => ({ ...target, matchPort: 10_000 + index, targetPort: 7000 + (index % 2) }))
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

/** A replica with all services, and its status in the Secret. */
async function replica({ pod, tailnet }: Omit<Combination, 'forwarded'>): Promise<{ env: Environment; group: Group }> {
  await bed.control.putSettings({ families: tailnet })
  const group = await Group.make(bed, `${pod}-${tailnet}`, pod)
  await group.egress(
    Object.fromEntries(services.map((one) => [one.name, egressEntry(one.target, one.matchPort, one.targetPort)])),
  )
  const env = { ...group.env('egress'), ...(await podEnv(bed, pod)) }
  return { env, group }
}

const listed = async (group: Group): Promise<string[]> =>
  Object.keys((await group.status<{ services: object | null }>('egress-services'))?.services ?? {})

describe.each([...working, ...failing])('a Pod with $pod, a tailnet with $tailnet', (combination) => {
  const { pod, forwarded } = combination
  it(`forwards ${forwarded.join(' and ') || 'nothing'}, refuses the rest and says why`, async () => {
    const { env, group } = await replica(combination)
    await using proxy = await Proxy.ready(bed, env, { host: pod })
    const carried = services.map((one) => ({
      ...one,
      forwarded: one.families.filter((family) => forwarded.includes(family)),
    }))
    const names = carried.flatMap((one) => (one.forwarded.length > 0 ? [one.name] : []))
    await expect.poll(() => listed(group)).toEqual(names.toSorted())
    const own = await proxy.own()
    for (const one of carried) {
      const as = (family: Family) => ({ host: one.host, peer: own[family] })
      const { matchPort: port } = one
      // The router of a 4via6 site forwards with its own address.
      await answered(bed.host('app'), proxy.host.address, {
        port,
        forwarded: one.forwarded,
        as: one.name === 'site-by-4via6' ? () => ({ host: 'router' }) : as,
      })
    }
    const { services: reported } = await proxy.status()
    for (const one of carried.filter(({ forwarded: some }) => some.length === 0)) {
      const problems = reported.find(({ name }) => name === one.name)?.problems.join()
      expect(problems, one.name).toMatch(
        /(the node has no IPv[46] address in the tailnet|the Pod has no IPv[46] address)/,
      )
    }
  })
})

describe('a replica', () => {
  it('passes large messages in both directions, and refuses other nodes', async () => {
    const { env } = await replica({ pod: 'dual', tailnet: 'both' })
    await using proxy = await Proxy.ready(bed, env, { host: 'dual' })
    await proxy.until(({ ready }) => ready)
    await largeMessagesPass(bed.host('app'), proxy.host.address, 10_000)
    await answered(bed.host('router'), await proxy.own(), { port: 10_000, forwarded: [], as: () => ({}) })
  })

  it('counts for each service what is carried and refused', async () => {
    await bed.control.putSettings({ families: 'both' })
    const group = await Group.make(bed, 'counted', 'dual')
    const target = { fqdn: 'db.lab.ts.net' }
    await group.egress({ open: egressEntry(target, 10_000), closed: egressEntry(target, 10_001, 7009) })
    const env = { ...group.env('egress'), ...(await podEnv(bed, 'dual')) }
    await using proxy = await Proxy.ready(bed, env, { host: 'dual' })
    await proxy.until(({ ready }) => ready)
    await expectCounted(proxy, bed.host('app'), proxy.host.address, {
      open: { service: 'open', port: 10_000 },
      closed: { service: 'closed', port: 10_001 },
    })
  })

  it('forwards through a device with another name, too', async () => {
    const { env } = await replica({ pod: 'dual', tailnet: 'both' })
    await using proxy = await Proxy.ready(bed, { ...env, TS_TAILSCALED_EXTRA_ARGS: '-tun=ts0' }, { host: 'dual' })
    await proxy.until(({ ready }) => ready)
    const [port, as] = [10_000, () => ({ host: 'db' })]
    await answered(bed.host('app'), proxy.host.address, { port, forwarded: ['v4', 'v6'], as })
    await answered(bed.host('router'), await proxy.own(), { port, forwarded: [], as })
  })
})
