import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { ask, type Bed, startBed, startTraffic } from '../lab/bed.ts'
import { groupConfig, groupObjects, replicasOf } from '../lab/cluster/group.ts'
import { backendObjects, deviceConfig, proxyBase, proxyNamespace } from '../lab/cluster/proxy.ts'
import { buildImage } from '../lab/images/image.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { ProxyPod, serviceAddresses, ways } from './cluster.ts'
import { rolledOut } from './rollout.ts'

const group = { name: 'ingress', type: 'ingress', replicas: 3 } as const
const replicaNames = replicasOf(group)

/** Tailscale Services of the bed's tailnet. */
const services = {
  'svc:web': { v4: '100.99.1.1', v6: 'fd7a:115c:a1e0::99:1' },
  'svc:api': { v4: '100.99.1.2', v6: 'fd7a:115c:a1e0::99:2' },
} as const
type ServiceName = keyof typeof services

let bed: Bed<'client'>
let replicas: ProxyPod[]
beforeAll(async () => {
  const [image] = await Promise.all([
    buildImage(),
    startBed({ hosts: { client: { network: 'wan', tailscaled: true } }, cluster: { nodes: 2 } }).then(
      (started) => (bed = started),
    ),
  ])
  const { cluster } = bed
  replicas = replicaNames.map((name) => new ProxyPod(cluster, name))
  const authKey = await bed.authKey({ reusable: true })
  await Promise.all([
    cluster.importImage(image.archive),
    cluster.apply(...proxyBase(), ...backendObjects('web'), ...backendObjects('api')),
  ])
  const env = { TS_NO_LOGS_NO_SUPPORT: 'true' }
  await cluster.apply(...groupObjects({ ...group, image: image.reference, authKey, env }))
  await rolledOut(cluster, group.name)
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

type Mappings = Readonly<Record<string, object>>

/** The mapping of a Tailscale Service to the Service of the cluster with its name, as operators configure it. */
async function mapping(name: ServiceName): Promise<Mappings> {
  const clusterIp = await serviceAddresses(bed.cluster, name.replace('svc:', ''))
  const of = (family: 'v4' | 'v6') => ({ TailscaleServiceIP: services[name][family], ClusterIP: clusterIp[family] })
  return { [name]: { IPv4Mapping: of('v4'), IPv6Mapping: of('v6') } }
}

async function configure(mappings: Mappings): Promise<void> {
  const files = { 'ingress-config.json': JSON.stringify(mappings) }
  await bed.cluster.apply(groupConfig(group.name, group.type, files))
}

/** Lets the replicas host Tailscale Services: in their config files, and by approval in the tailnet. */
async function host(...names: ServiceName[]): Promise<void> {
  for (const replica of replicaNames) {
    const config = deviceConfig(replica, undefined, { AdvertiseServices: names })
    const patch = JSON.stringify({ data: { 'cap-106.hujson': Buffer.from(config).toString('base64') } })
    const where = [`${replica}-config`, `--namespace=${proxyNamespace}`, `--patch=${patch}`]
    await bed.cluster.kubectl(['patch', 'secret', ...where])
    await bed.control.patchNode(replica, {
      capMap: { 'service-host': [Object.fromEntries(names.map((name) => [name, Object.values(services[name])]))] },
      routes: names.flatMap((name) => [`${services[name].v4}/32`, `${services[name].v6}/128`]),
    })
  }
}

/** Waits until each replica lists exactly these mappings, byte for byte as configured. */
async function listed(mappings: Mappings): Promise<void> {
  for (const replica of replicas) {
    const [podIPv4, podIPv6] = (await replica.pod())!.status.podIPs!.map(({ ip }) => ip)
    await expect
      .poll(async () => (await replica.secret())['ingress-config.json'])
      .toBe(JSON.stringify({ configs: mappings, podIPv4, podIPv6 }))
  }
}

/** Connects from the tailnet with every protocol and family until all get an answer. */
async function reaches(name: ServiceName): Promise<void> {
  for (const { family, protocol } of ways) {
    const to = services[name][family]
    const once = () => ask(bed.host('client'), { to, protocol, patience: 5000 }).catch(String)
    await expect.poll(once).toMatchObject({ host: name.replace('svc:', '') })
  }
}

test('the tailnet reaches a Service of the cluster by a Tailscale Service, through one of three replicas', async () => {
  const mappings = await mapping('svc:web')
  await configure(mappings)
  await listed(mappings)
  await host('svc:web')
  await reaches('svc:web')
  // The backend sees the replica, not the client.
  const { peer } = await ask(bed.host('client'), { to: services['svc:web'].v4, protocol: 'tcp' })
  const pods = await Promise.all(replicas.map((replica) => replica.pod()))
  expect(pods.flatMap((pod) => pod!.status.podIPs!.map(({ ip }) => ip))).toContain(peer)
})

test('a Tailscale Service that is hosted without a mapping is refused at once, and works once it has one', async () => {
  await host('svc:web', 'svc:api')
  const client = bed.host('client')
  for (const { family, protocol } of ways) {
    const once = () => ask(client, { to: services['svc:api'][family], protocol, patience: 5000 })
    await expect.poll(() => once().catch(String)).toMatch('ECONNREFUSED')
  }
  const both = { ...(await mapping('svc:api')), ...(await mapping('svc:web')) }
  await configure(both)
  await listed(both)
  await reaches('svc:api')
  await reaches('svc:web')

  const web = await mapping('svc:web')
  await configure(web)
  await listed(web)
  const unmapped = () => ask(client, { to: services['svc:api'].v4, protocol: 'tcp', patience: 5000 })
  // Changes take effect a moment after they are reported.
  await expect.poll(() => unmapped().catch(String)).toMatch('ECONNREFUSED')
  await reaches('svc:web')
})

test('when a replica stops, another takes over, and no new connection fails', async () => {
  const { v4: to } = services['svc:web']
  const primary = async () =>
    (await bed.control.nodes()).find(({ primaryRoutes }) => primaryRoutes.includes(`${to}/32`))!.name
  const before = await primary()
  const often = { mode: 'connect', every: 50, retries: 1 } as const
  const load = await startTraffic(bed.host('client'), { ...often, to, protocol: 'tcp' })
  const flow = await startTraffic(bed.host('client'), { to, protocol: 'tcp', mode: 'flow' })
  // What the control server does when a host no longer advertises a service: it queries the host, and sends clients
  // elsewhere.
  const advertises = async () => {
    const { body } = await bed.control.askNode(before, { path: '/vip-services' })
    const { VIPServices: all } = JSON.parse(body) as { VIPServices: readonly { Active: boolean }[] | null }
    return (all ?? []).some(({ Active }) => Active)
  }
  expect(await advertises()).toBe(true)
  const replica = replicas.find(({ name }) => name === before)!
  const { uid } = (await replica.pod())!.metadata
  await bed.cluster.kubectl(['delete', 'pod', before, `--namespace=${proxyNamespace}`, '--wait=false'])
  // One that does not answer any more does not, either.
  await expect.poll(() => advertises().catch(() => false)).toBe(false)
  await bed.control.patchNode(before, { routes: [] })
  expect(await primary()).not.toBe(before)
  await expect.poll(async () => (await replica.pod())?.metadata.uid).not.toBe(uid)
  await replica.ready()
  await listed(await mapping('svc:web'))
  const { sent, answered, errors, retried, maxAtOnce } = await load.stop()
  expect({ errors, answered }).toEqual({ errors: {}, answered: sent })
  // A connection that is open while the tailnet moves its client breaks; a retry does not.
  expect(retried.length).toBeLessThanOrEqual(maxAtOnce)
  expect((await flow.stop()).broken?.code).toBe('ECONNRESET')
})
