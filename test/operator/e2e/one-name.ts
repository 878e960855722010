import { beforeAll, expect, test } from 'vitest'
import { program, visitFrom } from '../../agent/serving.ts'
import { nodeAddresses } from '../../e2e/cluster.ts'
import { namespace } from '../operator-process.ts'
import { backend, type IngressCluster } from './ingress-cluster.ts'
import { nodesOf, nothingLeft } from './nothing-left.ts'
import { TailnetSite } from './tailnet-site.ts'

/** `isLong`: also with another name and back, each half of which others show. */
export function oneName(started: () => IngressCluster, isLong = false): void {
  let cluster: IngressCluster
  let app: TailnetSite
  beforeAll(() => {
    cluster = started()
    app = new TailnetSite(cluster.bed, 'app')
  })

  const site = { defaultBackend: backend('web') }
  const db = [{ port: 5432 }, { port: 53, protocol: 'UDP' }]
  const nodes = () => nodesOf(cluster.bed)
  /** Waits for the condition of a Service. */
  const stands = (service: string, expected: string | RegExp) =>
    expect.poll(() => cluster.condition(service)).toMatch(expected)

  type Pod = { readonly metadata: { readonly uid: string }; readonly spec: object }
  const pods = () => cluster.bed.cluster.list<Pod>('pods', namespace)

  test('a Service that has a node gives it up for that of an Ingress with its name, which is never another one', async () => {
    await cluster.expose('db', db)
    await stands('db', 'True')
    await app.reaches('echo', 5432)
    await cluster.setIngress(site)
    await stands(
      'db',
      /^True: uses the node of Ingress "default\/web", app\.lab\.ts\.net \(.*\), for tcp\/5432, udp\/53$/,
    )
    expect(await nodes()).toEqual(['app'])
    expect(await pods()).toMatchObject([{ spec: { securityContext: { runAsNonRoot: true } } }])
    await app.serves('"web"')
    await app.reaches('echo', 5432)
    await app.reaches('echo', 53, 'udp')
  })

  test('further Services join without a restart, and are told which ports they cannot have', async () => {
    const [before] = await pods()
    const ports = [{ port: 6379 }, { port: 443 }, { port: 5432 }, { port: 54, protocol: 'UDP' }]
    await cluster.expose('more', ports, { spec: { type: 'LoadBalancer', loadBalancerClass: 'tailscale' } })
    await stands(
      'more',
      /^False: not forwarded: tcp\/443: taken by the Ingress; tcp\/5432: taken by Service "default\/db"; udp\/54: .*; uses the node .* for tcp\/6379$/,
    )
    await app.reaches('echo', 6379)
    await app.serves('"web"')
    const { addresses } = await cluster.bed.control.node('app')
    expect(await cluster.entries('service', 'more')).toMatchObject([
      { hostname: app.fqdn },
      ...addresses.map((ip) => ({ ip })),
    ])
    expect((await pods())[0]?.metadata.uid).toBe(before?.metadata.uid)
  })

  test('ports change and go with their Services, without a restart', async () => {
    const [before] = await pods()
    await cluster.expose('more', [{ port: 6380 }])
    await app.reaches('echo', 6380)
    await app.reaches('ECONNREFUSED', 6379)
    await stands('more', /^True: .* for tcp\/6380$/)
    await cluster.bed.cluster.kubectl(['annotate', 'service', 'more', 'tailscale.com/expose-'])
    await app.reaches('ECONNREFUSED', 6380)
    await stands('more', 'undefined')
    await cluster.remove('service', 'more')
    await app.reaches('echo', 5432)
    expect((await pods())[0]?.metadata.uid).toBe(before?.metadata.uid)
  })

  test('a Service that joins learns the addresses of clients by the PROXY protocol', async () => {
    const { bed } = cluster
    const place = await bed.cluster.pod('echo')
    const listening = await place.spawn([process.execPath, program('client-address.ts'), '9000'])
    await listening.line(/listening/)
    await cluster.expose('aware', [{ port: 9000, targetPort: 9000 }], {
      annotations: { 'culvert/proxy-protocol': '2' },
    })
    await stands('aware', /^True: .* for tcp\/9000$/)
    const own = Object.values(await nodeAddresses(bed, 'client'))
    for (const to of Object.values(await nodeAddresses(bed, 'app'))) {
      const visit = { name: app.fqdn, to, port: 9000, data: 'hello\n' }
      const said = async () => {
        const page = await visitFrom(bed.host('client'), visit)
        return typeof page === 'string' ? page : (JSON.parse(page.body) as { client: string; data: string })
      }
      await expect.poll(said).toMatchObject({ version: 2, data: 'hello', client: expect.toBeOneOf(own) })
    }
    await cluster.remove('service', 'aware')
    await listening.stop()
  })

  if (isLong) {
    test('when the Ingress takes another name, the Service gets a node with the old one, and returns with the name', async () => {
      await cluster.setIngress({ ...site, tls: [{ hosts: ['site'] }] })
      await new TailnetSite(cluster.bed, 'site').serves('"web"')
      await stands('db', 'True: forwards')
      expect((await nodes()).toSorted()).toEqual(['app', 'site'])
      await app.reaches('echo', 5432)
      await cluster.setIngress(site)
      await stands('db', 'True: uses')
      await app.serves('"web"')
      await app.reaches('echo', 5432)
      await expect.poll(nodes).toEqual(['app'])
    })
  }

  test('when the Ingress is deleted, the Service gets a node of its own with the name', async () => {
    await cluster.remove('ingress', 'web')
    await stands('db', 'True: forwards')
    expect(await nodes()).toEqual(['app'])
    await app.reaches('echo', 5432)
    await app.reaches('echo', 53, 'udp')
  })

  test('nothing is left when Service and Ingress are deleted at once', async () => {
    await cluster.setIngress(site)
    await stands('db', 'True: uses')
    await Promise.all([cluster.remove('service', 'db'), cluster.remove('ingress', 'web')])
    await nothingLeft(cluster.bed)
    expect(cluster.operator!.errors).toEqual([])
  })
}
