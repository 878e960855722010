import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { balancer, endpoints, GroupBed, ingress, proxyGroup } from './group-bed.ts'
import { testNames } from './names.ts'
import { walkGroups, walkThroughAll } from './walks.ts'

let here: GroupBed
let operator: Awaited<ReturnType<GroupBed['at']['operate']>>
beforeAll(async () => {
  here = await GroupBed.start()
  await here.cluster.apply(...walkGroups)
  operator = await here.at.operate()
})
afterAll(async () => {
  await operator[Symbol.asyncDispose]()
  await here[Symbol.asyncDispose]()
})
beforeEach(() => here.printLogsOnFailure())

type Secret = { readonly metadata: { readonly uid: string }; readonly data: Readonly<Record<string, string>> }

const both = (services: string): readonly string[] => [services, services]
const https = [{ port: 443, protocol: 'TCP' }]

test('an Ingress becomes a Tailscale Service that all replicas of its group advertise once it has a certificate', async () => {
  await here.cluster.apply(ingress('wiki', 'wiki'))
  await expect.poll(() => here.entries('ingress', 'wiki')).toEqual([{ hostname: 'wiki.lab.ts.net', ports: https }])
  // It is reachable as soon as one of them does.
  await expect.poll(() => here.advertised('one')).toEqual(both('svc:wiki'))
  expect(await here.service('svc:wiki')).toMatchObject({ ports: ['tcp:443'], tags: ['tag:k8s'] })
  expect(await here.owners('svc:wiki')).toBe(1)
})

test('a Service becomes one that a replica advertises once it forwards, and while it has an endpoint', async () => {
  await here.cluster.apply(balancer('db'))
  await expect.poll(() => here.condition('service', 'db')).toMatch(/^False: 0\/2 .*a Pod of the Service that is ready$/)
  await here.cluster.apply(endpoints('db', true))
  await expect.poll(() => here.condition('service', 'db')).toBe('True: 2/2 proxy backends ready and advertising')
  const {
    addresses: [v4, v6],
    ports,
  } = (await here.service('svc:db'))!
  expect(ports).toEqual([])
  expect(await here.entries('service', 'db')).toMatchObject([{ hostname: 'db.lab.ts.net', ip: v4 }, { ip: v6 }])
  expect(await here.advertised('one')).toEqual(both('svc:db,svc:wiki'))
  await here.cluster.apply(endpoints('db', false))
  await expect.poll(() => here.advertised('one')).toEqual(both('svc:wiki'))
  await expect.poll(() => here.entries('service', 'db')).toEqual([])
  await here.cluster.apply(endpoints('db', true))
  await expect.poll(() => here.condition('service', 'db')).toMatch(/^True: 2\/2/)
})

test('at rest nothing is written', async () => {
  const written = (): readonly string[] =>
    here.at.kube.proxy.seen.flatMap(({ method, url }) => (method === 'GET' ? [] : [`${method} ${url}`]))
  const runs = (): number =>
    operator.controllers.reduce((sum, one) => sum + Object.values(one.counts().results).reduce((a, b) => a + b, 0), 0)
  /** Everything runs once more, and writes nothing. */
  const runAll = async (): Promise<readonly string[]> => {
    const [{ length }, before] = [written(), runs()]
    const keys = ['default/wiki', 'default/db', 'one', 'tailscale/one-0', 'tailscale/one-1']
    for (const one of operator.controllers) for (const key of keys) one.add(key)
    await expect.poll(runs).toBeGreaterThanOrEqual(before + keys.length * operator.controllers.length)
    return written().slice(length)
  }
  await expect.poll(runAll).toEqual([])
})

test('in another group it keeps its name, addresses and certificate, and nothing is left in the one before', async () => {
  const before = await Promise.all(['svc:wiki', 'svc:db'].map((name) => here.service(name)))
  const pem = async () => (await here.cluster.get<{ data: object }>('secret', 'wiki.lab.ts.net', 'tailscale'))?.data
  const certificate = await pem()
  for (const kind of ['ingress/wiki', 'service/db'])
    await here.annotate(...(kind.split('/') as [string, string]), { 'tailscale.com/proxy-group': 'two' })
  await expect.poll(() => here.advertised('two')).toEqual(['svc:db,svc:wiki'])
  await expect.poll(() => here.advertised('one')).toEqual(['', ''])
  await expect.poll(() => here.condition('service', 'db')).toBe('True: 1/1 proxy backends ready and advertising')
  const after = await Promise.all(['svc:wiki', 'svc:db'].map((name) => here.service(name)))
  expect(after.map((one) => one?.addresses)).toEqual(before.map((one) => one?.addresses))
  expect(await pem()).toEqual(certificate)
  for (const kind of ['ingress/wiki', 'service/db'])
    await here.annotate(...(kind.split('/') as [string, string]), { 'tailscale.com/proxy-group': 'one' })
  await expect.poll(() => here.advertised('one')).toEqual(both('svc:db,svc:wiki'))
  await expect.poll(() => here.advertised('two')).toEqual([''])
})

testNames(() => here)

test('what others have edited or removed is put right', async () => {
  await here.cluster.kubectl(['delete', 'configmap', 'one-ingress-config', '--namespace=tailscale'])
  const config = () =>
    here.cluster.get<{ binaryData?: Record<string, string> }>('configmap', 'one-ingress-config', 'tailscale')
  await expect.poll(async () => Object.keys((await config())?.binaryData ?? {}).length).toBe(2)
  const secret = () => here.cluster.get<Secret>('secret', 'pages.lab.ts.net', 'tailscale')
  const uid = (await secret())?.metadata.uid
  await here.cluster.kubectl(['delete', 'secret', 'pages.lab.ts.net', '--namespace=tailscale'])
  await expect.poll(async () => (await secret())?.metadata.uid ?? uid).not.toBe(uid)
  await expect.poll(async () => (await secret())?.data['tls.crt']).not.toBe('')
  await expect.poll(() => here.entries('ingress', 'wiki')).toHaveLength(1)
})

test('of two objects with one name the older keeps it, and the other gets it when that goes', async () => {
  await here.cluster.apply(ingress('second', 'pages'))
  await expect
    .poll(() => here.told('Ingress', 'HostnameTaken'))
    .toEqual([expect.stringContaining('svc:pages is that of Ingress "default/wiki"')])
  const { addresses } = (await here.service('svc:pages'))!
  await here.remove('ingress/wiki')
  await expect.poll(() => here.entries('ingress', 'second')).toHaveLength(1)
  expect((await here.service('svc:pages'))?.addresses).toEqual(addresses)
  await here.remove('ingress/second')
  await expect.poll(() => here.service('svc:pages')).toBeUndefined()
  await here.absent('ingress/wiki', 'ingress/second')
})

test('one that somebody else made is never taken, and the Service says so', async () => {
  await here.control.putService('svc:foreign', { ports: ['tcp:22'] })
  await here.annotate('service', 'db', { 'tailscale.com/hostname': 'foreign' })
  await expect
    .poll(() => here.condition('service', 'db', 'TailscaleIngressSvcValid'))
    .toBe('False: svc:foreign exists in the tailnet, and was not made by a Kubernetes operator')
  // What it had goes on.
  expect(await here.condition('service', 'db')).toMatch(/^True: 2\/2/)
  expect(await here.service('svc:store')).toBeDefined()
  expect((await here.service('svc:foreign'))?.ports).toEqual(['tcp:22'])
  await here.annotate('service', 'db', { 'tailscale.com/hostname': 'store' })
  await expect.poll(() => here.condition('service', 'db', 'TailscaleIngressSvcValid')).toMatch(/^True/)
})

test('finalizers of Tailscale’s operator, in both forms, are removed once all is gone', async () => {
  const finalizers = ['one.tailscale.com/service-pg-finalizer', 'tailscale.com/service-pg-finalizer']
  const patch = JSON.stringify({ metadata: { finalizers } })
  await here.cluster.kubectl(['patch', 'service', 'db', '--type=merge', `--patch=${patch}`])
  await here.remove('service/db')
  await here.gone('service', 'db', 'svc:store')
})

test('off the group everything goes, and the object stays', async () => {
  await here.cluster.apply(ingress('wiki', 'wiki'))
  await expect.poll(() => here.entries('ingress', 'wiki')).toHaveLength(1)
  const patch = JSON.stringify({ spec: { ingressClassName: 'other' } })
  await here.cluster.kubectl(['patch', 'ingress', 'wiki', '--type=merge', `--patch=${patch}`])
  await expect.poll(() => here.service('svc:wiki')).toBeUndefined()
  await expect.poll(() => here.made()).toEqual([])
  await expect.poll(() => here.entries('ingress', 'wiki')).toEqual([])
  await expect.poll(() => here.cluster.get('ingress', 'wiki')).not.toHaveProperty('metadata.finalizers')
  await here.remove('ingress/wiki')
})

test('without the annotation it gets proxies of its own, and gives them up when it returns to the group', async () => {
  await here.cluster.apply(ingress('walker', 'walker'), balancer('db'), endpoints('db', true))
  const nodes = async () => (await here.control.nodes()).map(({ name }) => name).toSorted()
  const own = { 'tailscale.com/proxy-group': null }
  const grouped = { 'tailscale.com/proxy-group': 'one' }
  const isInGroup = async (): Promise<void> => {
    await expect.poll(() => here.advertised('one')).toEqual(both('svc:db,svc:walker'))
    await expect.poll(() => here.condition('service', 'db')).toMatch(/^True: 2\/2/)
    await expect.poll(() => here.entries('ingress', 'walker')).toHaveLength(1)
  }
  await isInGroup()
  const before = await nodes()
  await here.annotate('ingress', 'walker', own)
  await here.annotate('service', 'db', own)
  await expect.poll(nodes).toEqual([...before, 'db', 'walker'].toSorted())
  await expect.poll(() => here.condition('service', 'db', 'TailscaleProxyReady')).toMatch(/^True/)
  expect(await here.condition('service', 'db')).toBe('none')
  await expect.poll(() => here.service('svc:db')).toBeUndefined()
  await expect.poll(() => here.entries('ingress', 'walker')).toHaveLength(1)
  await here.annotate('ingress', 'walker', grouped)
  await here.annotate('service', 'db', grouped)
  await isInGroup()
  await expect.poll(nodes).toEqual(before)
  await expect.poll(() => here.condition('service', 'db', 'TailscaleProxyReady')).toBe('none')
  // The group has waited for the names.
  expect(operator.logged.filter((line) => line.includes(' 409 '))).toEqual([])
  for (const one of ['ingress/walker', 'service/db']) await here.remove(one)
  await expect.poll(() => here.made()).toEqual([])
  await here.absent('ingress/walker', 'service/db')
})

test('what goes on its way to another group leaves nothing in either', async () => {
  await here.cluster.apply(balancer('db'), endpoints('db', true))
  await expect.poll(() => here.condition('service', 'db')).toMatch(/^True: 2\/2/)
  await here.annotate('service', 'db', { 'tailscale.com/proxy-group': 'two' })
  await expect.poll(() => here.advertised('two')).toEqual(['svc:db'])
  await here.remove('service/db')
  await here.gone('service', 'db', 'svc:db')
  for (const group of ['one', 'two']) expect((await here.advertised(group)).join('')).toBe('')
})

test('after each step of three walks through every kind a Service is what it asks to be, and nothing is left', async () => {
  const { length } = operator.logged
  await walkThroughAll(here, ['ann', 'bob', 'cid'], 1)
  expect(operator.logged.slice(length)).toEqual([])
})

test('without its group an object waits, and can go', async () => {
  await here.cluster.apply(balancer('lonely', { 'tailscale.com/proxy-group': 'none' }))
  await expect.poll(() => here.condition('service', 'lonely')).toContain('ProxyGroup "none" does not exist')
  await here.cluster.apply(proxyGroup('none', 1), endpoints('lonely', true))
  await expect.poll(() => here.condition('service', 'lonely')).toMatch(/^True: 1\/1/)
  await here.cluster.kubectl(['delete', 'proxygroup', 'none', '--timeout=300s'])
  await expect.poll(() => here.condition('service', 'lonely')).toContain('ProxyGroup "none" does not exist')
  await here.remove('service/lonely')
  await here.gone('service', 'lonely', 'svc:lonely')
})

test('while Tailscale’s API is away, what is there goes on, and what is new waits', async () => {
  await here.cluster.apply(balancer('db'), endpoints('db', true))
  await expect.poll(() => here.condition('service', 'db')).toMatch(/^True: 2\/2/)
  await here.control.addApiFault({ path: '/tailnet/-/vip-services', status: 503, times: 0 })
  await here.cluster.apply(balancer('late'), endpoints('late', true), endpoints('db', false))
  await expect.poll(() => here.advertised('one')).toEqual(['', ''])
  await here.cluster.apply(endpoints('db', true))
  await expect.poll(() => here.advertised('one')).toEqual(both('svc:db'))
  await expect.poll(() => here.condition('service', 'db')).toMatch(/^True: 2\/2/)
  await expect.poll(() => here.condition('service', 'late')).toMatch(/^False: 0\/0 .*putting|getting|listing/)
  await here.control.removeApiFaults()
  await expect.poll(() => here.condition('service', 'late')).toMatch(/^True: 2\/2/)
  for (const name of ['db', 'late']) {
    await here.remove(`service/${name}`)
    await expect.poll(() => here.service(`svc:${name}`)).toBeUndefined()
    await here.absent(`service/${name}`)
  }
  await expect.poll(() => here.made()).toEqual([])
})

test('on a control server without Tailscale Services the object says what is lacking', async () => {
  await here.control.putApi({ play: 'headscale' })
  await here.cluster.apply(balancer('db'), ingress('wiki', 'wiki'))
  await expect.poll(() => here.condition('service', 'db')).toContain('the control server has no Tailscale Services')
  await expect.poll(() => here.told('Ingress', 'InvalidTailscaleService')).toHaveLength(1)
  await here.remove('service/db', 'ingress/wiki')
  await here.absent('service/db', 'ingress/wiki')
  await here.control.putApi({ play: 'tailscale' })
})
