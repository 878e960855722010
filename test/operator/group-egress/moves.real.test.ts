import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { services } from '../../../operator/objects/resources.ts'
import { never } from '../../kube/controller/api-bed.ts'
import { ofMany } from '../../lab/patience.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { namespace } from '../operator-process.ts'
import { EgressBed, group, service, type Service, through } from './egress-bed.ts'

const healthPort = 'tailscale-health-check'

let at: EgressBed
beforeAll(async () => {
  at = await EgressBed.start()
})
afterAll(() => at[Symbol.asyncDispose]())
beforeEach(() => printLogsOnFailure(at.here.bed))

test('a Service moves between groups, proxies of its own, and none, and leaves nothing behind', async () => {
  await using operator = await at.operate()
  await at.here.bed.cluster.apply(service('db'))
  const ready = async (): Promise<string> => {
    const all = (await at.get('db'))?.status.conditions ?? []
    return all
      .map(({ type, status, reason }) => `${type} ${status} ${reason.split(':')[0]}`)
      .toSorted()
      .join(', ')
  }
  const ofGroup =
    'TailscaleEgressSvcConfigured True ConfiguredFor, TailscaleEgressSvcReady True ReadyToRouteTraffic, TailscaleEgressSvcValid True EgressSvcValid'
  const ofItsOwn = 'TailscaleProxyReady True ProxyCreated'
  await expect.poll(ready).toBe(ofGroup)
  const address = (await at.childrenOf('db'))[0]!.spec.clusterIP

  await at.annotate('db', { 'tailscale.com/proxy-group': 'two' })
  await expect.poll(() => at.files('two')).toEqual(['apps-db'])
  await expect.poll(() => at.files('one')).toEqual([])
  await expect.poll(() => at.condition('db')).toMatch(/^True ReadyToRouteTraffic: 1 of 1/)
  expect((await at.childrenOf('db')).map(({ spec }) => spec.clusterIP)).toEqual([address])

  await at.annotate('db', { 'tailscale.com/proxy-group': null })
  await expect.poll(ready).toBe(ofItsOwn)
  await expect.poll(() => at.files('two')).toEqual([])
  await expect.poll(() => at.childrenOf('db')).toEqual([])
  await expect.poll(async () => (await at.get('db'))?.spec.externalName).toMatch(/^ts-db-/)

  await at.annotate('db', { 'tailscale.com/proxy-group': 'one' })
  await expect.poll(ready).toBe(ofGroup)
  const [made] = await at.childrenOf('db')
  expect((await at.get('db'))?.spec.externalName).toMatch(new RegExp(`^${made!.metadata.name}\\.`))
  await expect
    .poll(async () =>
      (await at.here.bed.cluster.list('statefulsets', namespace)).map(({ metadata }) => metadata.name ?? '').toSorted(),
    )
    .toEqual(['one', 'two'])

  await at.annotate('db', { 'tailscale.com/tailnet-fqdn': null })
  await at.nothingLeft('db')
  expect(await at.get('db')).toMatchObject({ spec: { type: 'ExternalName', externalName: 'unused' } })
  await expect.poll(ready).toBe('')
  await at.annotate('db', through('one'))
  await expect.poll(ready).toBe(ofGroup)
  await at.annotate('db', { 'tailscale.com/proxy-group': null })
  await at.remove('db')
  await at.nothingLeft('db')
  expect(operator.logged.filter((line) => line.includes('error'))).toEqual([])
})

test('a Service that was deleted while no operator ran leaves nothing', async () => {
  {
    await using _ = await at.operate()
    await at.here.bed.cluster.apply(service('db'))
    await expect.poll(() => at.condition('db')).toMatch(/^True ReadyToRouteTraffic/)
  }
  await at.remove('db')
  await at.here.bed.cluster.kubectl([
    'patch',
    'service',
    'db',
    '--namespace=apps',
    '--type=merge',
    '--patch={"metadata":{"finalizers":null}}',
  ])
  await using _ = await at.operate()
  await at.nothingLeft('db')
})

test('a NetworkPolicy says who may use a Service of a group, as long as one asks for that', async () => {
  await using _ = await at.operate()
  const policies = () => at.here.bed.cluster.list('networkpolicies', namespace)
  // Also while the group waits for something else, and its proxies forward already.
  await at.here.bed.cluster.apply(group('one', 2, { proxyClass: 'missing' }))
  const standing = async () => JSON.stringify(await at.here.bed.cluster.get('proxygroup', 'one'))
  await expect.poll(standing).toContain('does not exist')
  await at.here.bed.cluster.apply(service('db', { ...through('one'), 'culvert/allow-from': '[apps]' }))
  await expect
    .poll(policies)
    .toMatchObject([
      { metadata: { name: 'one-egress' }, spec: { ingress: [{}, { from: [{}], ports: [{ protocol: 'TCP' }] }] } },
    ])
  await at.here.bed.cluster.apply(group('one', 2))
  await at.annotate('db', { 'culvert/allow-from': null })
  await expect.poll(policies).toEqual([])
  await at.remove('db')
  await at.nothingLeft('db')
})

test('many Services at once have different ports', async () => {
  await using operator = await at.operate()
  const { direct } = at.here.kube
  const names = Array.from({ length: 30 }, (_, index) => `many-${index}`)
  await Promise.all(names.map((name) => direct.create(services, service(name), never)))
  const ready = async () =>
    (await at.here.bed.cluster.list<Service>('services', 'apps')).filter(({ status }) =>
      status.conditions?.some(({ reason }) => reason === 'ReadyToRouteTraffic'),
    ).length
  await expect.poll(ready, ofMany).toBe(30)
  const made = await at.here.bed.cluster.list<Service>('services', namespace)
  const ports = made
    .filter(({ metadata }) => metadata.labels?.['tailscale.com/svc-type'] === 'egress')
    .flatMap(({ spec }) => spec.ports.flatMap(({ name, targetPort }) => (name === healthPort ? [] : targetPort)))
  expect([ports.length, new Set(ports).size]).toEqual([30, 30])
  expect(await at.files('one')).toHaveLength(30)
  expect(operator.logged.filter((line) => line.includes('error'))).toEqual([])
  await at.remove(...names)
  await expect.poll(() => at.here.bed.cluster.list('services', 'apps'), ofMany).toEqual([])
  await expect.poll(() => at.files('one')).toEqual([])
  await at.nothingLeft('many-0')
})

test('on Headscale, new replicas get their keys, and forward', async () => {
  await at.here.tailnet.control.putApi({ play: 'headscale' })
  await using _ = await at.operate()
  await at.here.bed.cluster.apply(group('two', 2), service('db', through('two')))
  await expect.poll(() => at.condition('db')).toBe('True ReadyToRouteTraffic: 2 of 2 replicas forward to db.lab.ts.net')
  await at.remove('db')
  await at.nothingLeft('db')
})
