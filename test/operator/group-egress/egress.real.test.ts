import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { services } from '../../../operator/objects/resources.ts'
import { never } from '../../kube/controller/api-bed.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { namespace } from '../operator-process.ts'
import { EgressBed, group, service, type Slice, through } from './egress-bed.ts'

let at: EgressBed
beforeAll(async () => {
  at = await EgressBed.start()
})
afterAll(() => at[Symbol.asyncDispose]())
beforeEach(() => printLogsOnFailure(at.here.bed))

test('a Service leads to the replicas that forward it, and is gone with all that was made for it', async () => {
  await using operator = await at.operate()
  await at.here.bed.cluster.apply(service('db'))
  await expect.poll(() => at.condition('db')).toBe('True ReadyToRouteTraffic: 2 of 2 replicas forward to db.lab.ts.net')
  expect(await at.condition('db', 'Valid')).toMatch(/^True EgressSvcValid/)
  expect(await at.condition('db', 'Configured')).toMatch(/^True ConfiguredFor:ProxyGroup:one:Config:[0-9a-f]{64}:/)
  const [made] = await at.childrenOf('db')
  expect((await at.get('db'))?.spec).toMatchObject({
    type: 'ExternalName',
    externalName: `${made!.metadata.name}.${namespace}.svc.cluster.local`,
  })
  expect(await at.endpoints('db')).toEqual((await at.childrenOf('db', 'endpointslices')).map(() => 2))
  expect(await at.files('one')).toEqual(['apps-db'])
  await at.remove('db')
  await at.nothingLeft('db')
  expect(await at.get('db')).toBeUndefined()
  expect(operator.logged.filter((line) => line.includes('error'))).toEqual([])
})

test('a replica that does not forward is no endpoint, and the Service names it', async () => {
  await using _ = await at.operate()
  await at.here.bed.cluster.apply(service('db'))
  await expect.poll(() => at.condition('db')).toMatch(/^True ReadyToRouteTraffic/)
  at.here.agents.fault('one-1', 'not-forwarding')
  await expect
    .poll(() => at.condition('db'))
    .toMatch(/^True PartiallyReadyToRouteTraffic: 1 of 2 .*; one-1: it does not forward it/)
  expect(new Set(await at.endpoints('db'))).toEqual(new Set([1]))
  at.here.agents.fault('one-0', 'not-forwarding')
  await expect.poll(() => at.condition('db')).toMatch(/^False NotReadyToRouteTraffic/)
  for (const name of ['one-0', 'one-1']) at.here.agents.fault(name, undefined)
  await expect.poll(() => at.condition('db')).toMatch(/^True ReadyToRouteTraffic/)
  await at.remove('db')
  await at.nothingLeft('db')
})

test('what others change or delete is put right', async () => {
  await using _ = await at.operate()
  await at.here.bed.cluster.apply(service('db'))
  await expect.poll(() => at.condition('db')).toMatch(/^True ReadyToRouteTraffic/)
  const kubectl = (...argv: string[]) => at.here.bed.cluster.kubectl([...argv, `--namespace=${namespace}`])
  const [made] = await at.childrenOf('db')
  const [slice] = await at.childrenOf<Slice>('db', 'endpointslices')
  // Of both families: there must be both again.
  const whole = await at.endpoints('db')
  expect(whole).toEqual([2, 2])

  await kubectl('delete', 'endpointslice', slice!.metadata.name)
  await expect.poll(() => at.endpoints('db')).toEqual(whole)
  await kubectl('patch', 'endpointslice', slice!.metadata.name, '--type=merge', '--patch={"endpoints":[]}')
  await expect.poll(() => at.endpoints('db')).toEqual(whole)
  await kubectl('delete', 'configmap', 'one-egress-config')
  await expect.poll(() => at.files('one')).toEqual(['apps-db'])
  await kubectl(
    'patch',
    'configmap',
    'one-egress-config',
    '--type=merge',
    '--patch={"binaryData":{"egress-services":"e30="}}',
  )
  await expect.poll(() => at.files('one')).toEqual(['apps-db'])
  await kubectl('delete', 'service', made!.metadata.name)
  await expect
    .poll(async () => (await at.childrenOf('db')).filter(({ metadata }) => metadata.uid !== made!.metadata.uid))
    .toHaveLength(1)
  await expect.poll(() => at.condition('db')).toMatch(/^True ReadyToRouteTraffic/)
  await at.remove('db')
  await at.nothingLeft('db')
})

test('of two Services that got one port, as by two operators, one gets another', async () => {
  await using _ = await at.operate()
  for (const name of ['old', 'young']) {
    await at.here.bed.cluster.apply(service(name))
    await expect.poll(() => at.condition(name)).toMatch(/^True ReadyToRouteTraffic/)
  }
  const port = async (name: string) => (await at.childrenOf(name))[0]?.spec.ports[0]?.targetPort
  const [made] = await at.childrenOf('old')
  const before = await port('young')
  const ofOld = [{ op: 'replace', path: '/spec/ports/0/targetPort', value: before }]
  const patch = ['patch', 'service', made!.metadata.name, '--type=json', `--patch=${JSON.stringify(ofOld)}`]
  await at.here.bed.cluster.kubectl([...patch, `--namespace=${namespace}`])
  await expect.poll(async () => new Set([await port('old'), await port('young')]).size).toBe(2)
  await at.remove('old', 'young')
  for (const name of ['old', 'young']) await at.nothingLeft(name)
})

test('a Service for which its group has no ports left says so, and the others go on', async () => {
  await using _ = await at.operate()
  const ports = Array.from({ length: 600 }, (_port, index) => ({ port: index + 1, name: `p${index}` }))
  const container = { image: 'lab.test/upstream' }
  await at.here.bed.cluster.apply(
    {
      apiVersion: 'tailscale.com/v1alpha1',
      kind: 'ProxyClass',
      metadata: { name: 'upstream', annotations: { 'culvert/agent': 'upstream' } },
      spec: { statefulSet: { pod: { tailscaleContainer: container, tailscaleInitContainer: container } } },
    },
    group('small', 1, { proxyClass: 'upstream' }),
    service('first', through('small'), { ports }),
  )
  await expect.poll(() => at.condition('first')).toMatch(/^True ReadyToRouteTraffic/)
  await at.here.bed.cluster.apply(service('second', through('small'), { ports }), service('third', through('small')))
  await expect
    .poll(() => at.condition('second', 'Configured'))
    .toMatch(/^False ConfigurationFailed:.*: the group has 1000 ports, and not 600 of them are free/)
  await expect.poll(() => at.told('second')).toContain('ConfigurationFailed')
  await expect.poll(() => at.condition('third')).toMatch(/^True ReadyToRouteTraffic/)
  expect(await at.condition('first')).toMatch(/^True ReadyToRouteTraffic/)
  await at.remove('first', 'second', 'third')
  for (const name of ['first', 'second', 'third']) await at.nothingLeft(name)
  await at.here.bed.cluster.kubectl(['delete', 'proxygroup/small', 'proxyclass/upstream', '--timeout=300s'])
})

test('a Service whose annotations leave no room for what is noted there says so, until they do', async () => {
  await using _ = await at.operate()
  const large = 'example.com/large'
  const used = Object.entries(through('one')).flat().join('').length
  const annotations = { ...through('one'), [large]: 'x'.repeat(256 * 1024 - used - large.length) }
  await at.here.kube.direct.create(services, service('full', annotations), never)
  await at.here.bed.cluster.apply(service('db'))
  await expect.poll(() => at.condition('full', 'Configured')).toMatch(/^False ConfigurationFailed:.* Too long: /)
  await expect.poll(() => at.condition('db')).toMatch(/^True ReadyToRouteTraffic/)
  await at.annotate('full', { [large]: null })
  await expect.poll(() => at.condition('full')).toMatch(/^True ReadyToRouteTraffic/)
  await at.remove('full', 'db')
  for (const name of ['full', 'db']) await at.nothingLeft(name)
})

describe('a Service that cannot be, or not now', () => {
  test.each<[string, string, KubeObject, RegExp, string]>([
    [
      'of another type',
      'typed',
      service('typed', through('one'), { type: 'ClusterIP' }),
      /^False EgressSvcInvalid: its type is ClusterIP/,
      'INVALIDSERVICE',
    ],
    [
      'with two targets',
      'both',
      service('both', { ...through('one'), 'tailscale.com/tailnet-ip': '100.64.0.9' }),
      /^False EgressSvcInvalid: .*one target/,
      'INVALIDSERVICE',
    ],
    [
      'with SCTP',
      'sctp',
      service('sctp', through('one'), { ports: [{ port: 1, protocol: 'SCTP' }] }),
      /^False EgressSvcInvalid: .*only TCP and UDP/,
      'INVALIDSERVICE',
    ],
    [
      'of a group that is missing',
      'missing',
      service('missing', through('none')),
      /^Unknown ProxyGroupNotReady: ProxyGroup "none" does not exist/,
      'ProxyGroupNotReady',
    ],
    [
      'of a group of another type',
      'wrong',
      service('wrong', through('three')),
      /^False EgressSvcInvalid: .*has the type ingress/,
      'INVALIDSERVICE',
    ],
  ])('%s', async (_what, name, object, valid, reason) => {
    await using _ = await at.operate()
    await at.here.bed.cluster.apply(group('three', 0, { type: 'ingress' }), object)
    await expect.poll(() => at.condition(name, 'Valid')).toMatch(valid)
    await expect.poll(() => at.told(name)).toContain(reason)
    expect(await at.childrenOf(name)).toEqual([])
    await at.remove(name)
    await at.nothingLeft(name)
  })

  test('keeps what it had', async () => {
    await using _ = await at.operate()
    await at.here.bed.cluster.apply(service('db'))
    await expect.poll(() => at.condition('db')).toMatch(/^True ReadyToRouteTraffic/)
    await at.annotate('db', { 'tailscale.com/tailnet-ip': '100.64.0.9' })
    await expect.poll(() => at.condition('db', 'Valid')).toMatch(/^False EgressSvcInvalid/)
    expect(await at.condition('db')).toMatch(/^True ReadyToRouteTraffic: 2 of 2 replicas forward to db\.lab\.ts\.net/)
    expect(await at.files('one')).toEqual(['apps-db'])
    await at.annotate('db', { 'tailscale.com/tailnet-fqdn': null })
    await expect.poll(() => at.condition('db')).toMatch(/forward to 100\.64\.0\.9$/)
    await at.remove('db')
    await at.nothingLeft('db')
  })
})
