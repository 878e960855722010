import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { namespace } from '../operator-process.ts'
import { httpsBackend } from './https-backend.ts'
import { backend, IngressCluster } from './ingress-cluster.ts'
import { nothingLeft } from './nothing-left.ts'
import { oneName } from './one-name.ts'
import { TailnetSite } from './tailnet-site.ts'
import { upstreamIngress } from './upstream-ingress.ts'

let cluster: IngressCluster
let app: TailnetSite
beforeAll(async () => {
  cluster = await IngressCluster.start()
  app = new TailnetSite(cluster.bed, 'app')
})
afterAll(() => cluster[Symbol.asyncDispose]())
beforeEach(() => cluster.printLogsOnFailure())

const https = { port: 443, protocol: 'TCP' }
const plain = { defaultBackend: backend('web') }
const status = () => cluster.entries('ingress', 'web')
const path = (at: string, pathType: string, name: string) => ({ path: at, pathType, backend: backend(name) })

type Pod = { readonly metadata: { readonly name: string; readonly uid: string }; readonly spec: object }
const pods = () => cluster.bed.cluster.list<Pod>('pods', namespace)

test('an Ingress is a site with HTTPS in the tailnet, of both families, by a Pod without privileges', async () => {
  await cluster.setIngress(plain)
  await expect.poll(status).toEqual([{ hostname: app.fqdn, ports: [https] }])
  await app.serves('"web"')
  expect(await cluster.bed.control.node('app')).toMatchObject({ tags: ['tag:k8s'], ephemeral: false })
  expect(await pods()).toMatchObject([{ spec: { securityContext: { runAsNonRoot: true } } }])
  expect(await app.get('/', { tls: false })).toMatch(/^E/)
})

test('paths, backends and ports change without a restart of the proxy', async () => {
  const before = (await pods()).map(({ metadata }) => metadata.uid)
  await cluster.setIngress({
    rules: [{ http: { paths: [path('/index.html', 'Exact', 'other'), path('/', 'Prefix', 'web')] } }],
  })
  await app.serves('"other"', '/index.html')
  await app.serves('"web"')
  await cluster.setIngress({ defaultBackend: backend('other') }, { 'tailscale.com/http-redirect': 'true' })
  await app.serves('"other"')
  for (const family of ['v4', 'v6'] as const) {
    const redirect = { status: 301, location: `https://${app.fqdn}/a?b` }
    await expect.poll(() => app.get('/a?b', { tls: false, family })).toMatchObject(redirect)
  }
  await expect.poll(status).toEqual([{ hostname: app.fqdn, ports: [https, { ...https, port: 80 }] }])
  await cluster.setIngress(plain)
  await app.serves('"web"')
  await expect.poll(() => app.get('/', { tls: false })).toMatch(/^E/)
  await expect.poll(status).toEqual([{ hostname: app.fqdn, ports: [https] }])
  expect((await pods()).map(({ metadata }) => metadata.uid)).toEqual(before)
})

test('the internet reaches a site by Funnel, as long as the annotation says so', async () => {
  // Its client is to be a relay of Funnel, too.
  const relay = { src: ['*'], dst: ['*'], app: { 'https://tailscale.com/cap/ingress': [] } }
  await cluster.bed.control.putGrants([relay])
  await expect.poll(() => app.byFunnel()).toBe('FUNNEL_REFUSED')
  await cluster.setIngress(plain, { 'tailscale.com/funnel': 'true' })
  await expect.poll(() => app.byFunnel()).toMatchObject({ status: 200, body: expect.stringContaining('"web"') })
  await cluster.setIngress(plain)
  await expect.poll(() => app.byFunnel()).toBe('FUNNEL_REFUSED')
  await app.serves('"web"')
})

test('another host is another name of the same node', async () => {
  const { stableId } = await cluster.bed.control.node('app')
  const renamed = new TailnetSite(cluster.bed, 'renamed')
  await cluster.setIngress({ ...plain, tls: [{ hosts: ['renamed'] }] })
  await expect.poll(status).toEqual([{ hostname: renamed.fqdn, ports: [https] }])
  await renamed.serves('"web"')
  expect((await cluster.bed.control.node('renamed')).stableId).toBe(stableId)
  await cluster.setIngress(plain)
  await expect.poll(status).toEqual([{ hostname: app.fqdn, ports: [https] }])
  await app.serves('"web"')
})

httpsBackend(() => cluster)

test('without a backend nothing is served, which is told, until there is one again', async () => {
  await cluster.setIngress({ defaultBackend: backend('missing') })
  await expect.poll(status).toEqual([])
  await cluster.tells('NoValidBackends')
  await cluster.tells('InvalidIngressBackend')
  await expect.poll(() => app.get('/')).toMatch(/^E/)
  await cluster.expose('missing', [{ port: 80, targetPort: 8080 }], {
    spec: { selector: { app: 'other' } },
    hostname: 'x',
    annotations: { 'tailscale.com/expose': 'false' },
  })
  await app.serves('"other"')
  await expect.poll(status).toEqual([{ hostname: app.fqdn, ports: [https] }])
  await cluster.remove('service', 'missing')
  await expect.poll(status).toEqual([])
})

test('what is refused changes nothing of what is served, and is told', async () => {
  await cluster.setIngress(plain)
  await app.serves('"web"')
  await cluster.setIngress({ defaultBackend: backend('other') }, { 'tailscale.com/tags': 'no tag' })
  await cluster.tells('InvalidIngressConfiguration')
  await app.serves('"web"')
  expect(await status()).toEqual([{ hostname: app.fqdn, ports: [https] }])
  await cluster.setIngress({ defaultBackend: backend('other') })
  await app.serves('"other"')
})

test('while HTTPS is off in the tailnet, the Ingress says so', async () => {
  const { control } = cluster.bed
  await control.putSettings({ https: false })
  await expect.poll(status).toEqual([])
  await cluster.tells('HTTPSNotEnabled')
  await control.putSettings({ https: true })
  await expect.poll(status).toEqual([{ hostname: app.fqdn, ports: [https] }])
  await app.serves('"other"')
})

test('a thousand rules are served', async () => {
  const paths = Array.from({ length: 1000 }, (_, index) => path(`/${index}`, 'Prefix', 'other'))
  const last = path('/index.html', 'Exact', 'other')
  await cluster.setIngress({ ...plain, rules: [{ http: { paths: [...paths, last] } }] })
  await app.serves('"other"', '/index.html')
  await app.serves('"web"')
  await cluster.setIngress(plain)
  await expect.poll(() => app.get('/index.html')).toMatchObject({ body: expect.stringContaining('"web"') })
})

test('what happens while the operator is down is caught up with, and its start writes nothing else', async () => {
  type Versioned = { readonly metadata: { readonly name: string; readonly resourceVersion: string } }
  const versions = async () => {
    const kinds = 'services,serviceaccounts,roles,rolebindings,statefulsets'
    const all = await cluster.bed.cluster.list<Versioned>(kinds, namespace)
    return all.map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`)
  }
  await cluster.operator!.stop()
  await cluster.setIngress({ defaultBackend: backend('other') })
  const before = await versions()
  await cluster.operate()
  await app.serves('"other"')
  expect(await versions()).toEqual(before)
})

test('nothing is left of an Ingress that is deleted', async () => {
  await cluster.remove('ingress', 'web')
  await nothingLeft(cluster.bed)
  expect(cluster.operator!.errors).toEqual([])
})

// In the same cluster, since starting one takes long.
describe('an Ingress and Services of one name', () => oneName(() => cluster))
describe('with Tailscale’s agent', () => upstreamIngress(() => cluster))
