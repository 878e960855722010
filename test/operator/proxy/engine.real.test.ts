import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { labelsOf } from '../../../operator/objects/parent.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { testOwnProxy } from '../api-proxy/own-proxy.ts'
import { namespace } from '../operator-process.ts'
import { EngineBed, expose, service } from './engine-bed.ts'

let at: EngineBed
beforeAll(async () => {
  at = await EngineBed.start()
})
afterAll(() => at[Symbol.asyncDispose]())
beforeEach(() => printLogsOnFailure(at.bed))

test('a proxy comes, survives a restart of the operator without a change, is mended, and goes', async () => {
  // The cluster's own controllers write the status of others.
  const written = async () => [
    await at.made('services,secrets,serviceaccounts,roles,rolebindings'),
    (await at.bed.cluster.list<KubeObject>('statefulsets', namespace)).map(({ metadata }) => metadata.generation),
    await at.bed.cluster.get<KubeObject>('service', 'web'),
  ]
  {
    await using operator = await at.operate()
    await at.bed.cluster.apply(service('web', expose, { type: 'LoadBalancer', loadBalancerClass: 'tailscale' }))
    await expect.poll(() => at.ready('service', 'web')).toBe('True')
    const { addresses, fqdn } = await at.bed.control.node('default-web')
    const { status } = (await at.bed.cluster.get<KubeObject>('service', 'web'))!
    expect(status).toMatchObject({ loadBalancer: { ingress: [{ hostname: fqdn }, { ip: addresses[0] }] } })
    expect(await at.made()).toHaveLength(7)
    await at.settled()
    expect(operator.errors).toEqual([])
    expect(await operator.stop()).toBe(0)
  }
  const before = await written()
  await using operator = await at.operate()
  // What comes after it has been looked at, since there is one queue.
  await at.bed.cluster.apply(service('later', expose))
  await expect.poll(() => at.ready('service', 'later')).toBe('True')
  await at.remove('service', 'later')
  await expect.poll(async () => (await at.made()).filter((line) => line.includes('later'))).toEqual([])
  expect(await written()).toEqual(before)

  await at.remove('rolebindings', '--selector=tailscale.com/managed=true', `--namespace=${namespace}`)
  await expect.poll(async () => (await at.made('rolebindings')).length).toBe(1)
  const set = (await at.made('statefulsets'))[0]!.split(' ')[1]!
  await at.bed.cluster.kubectl(['scale', `statefulset/${set}`, '--replicas=3', `--namespace=${namespace}`])
  const generation = async () =>
    (await at.bed.cluster.get<KubeObject>('statefulset', set, namespace))?.metadata.generation
  // That of the creation, of the change, and of its correction.
  await expect.poll(generation).toBe(3)
  await at.remove('service', 'web')
  await at.nothingLeft()
  expect(operator.errors).toEqual([])
  expect(at.problems).toEqual([])
})

test('what is not asked for any more goes, also if that happened while the operator was down', async () => {
  {
    await using _ = await at.operate()
    const names = ['one', 'two', 'three', 'five']
    await at.bed.cluster.apply(...names.map((name) => service(name, expose)))
    for (const name of names) await expect.poll(() => at.ready('service', name)).toBe('True')
  }
  await at.annotate('one', { 'tailscale.com/expose': null })
  await at.remove('service', 'two')
  // By force: nothing is left that would tell of it.
  const finalizers = '--patch={"metadata":{"finalizers":null}}'
  for (const name of ['three', 'five']) {
    await at.bed.cluster.kubectl(['patch', 'service', name, '--type=merge', finalizers])
    await at.remove('service', name)
  }
  await at.bed.cluster.apply(service('four', expose), service('five', expose))
  await using operator = await at.operate()
  await expect.poll(() => at.ready('service', 'four')).toBe('True')
  // The proxy of the earlier one selects other Pods, which cannot be changed: there is another one.
  await expect.poll(() => at.ready('service', 'five')).toBe('True')
  await expect.poll(() => at.nodeNames()).toEqual(['default-five', 'default-four'])
  await expect.poll(async () => (await at.made('statefulsets')).length).toBe(2)
  const left = async () => {
    const { metadata, status } = (await at.bed.cluster.get<KubeObject>('service', 'one'))!
    return [metadata.finalizers, status]
  }
  await expect.poll(left).toEqual([undefined, { loadBalancer: {} }])
  await at.remove('services', 'one', 'four', 'five')
  await at.nothingLeft()
  expect(operator.errors).toEqual([])
})

test('a device whose key was refused gets another key, and the earlier device goes', async () => {
  await using _ = await at.operate()
  await at.bed.cluster.apply(service('web', expose))
  await expect.poll(() => at.ready('service', 'web')).toBe('True')
  const { stableId } = await at.bed.control.node('default-web')
  at.agents.fault((await at.made('pods'))[0]!.split(' ')[1]!, 'key-refused')
  await expect.poll(async () => (await at.bed.control.nodes()).map((node) => node.stableId)).not.toContain(stableId)
  // Until the next device has joined, the Service may not show that the earlier one is gone.
  await expect.poll(() => at.nodeNames()).toEqual(['default-web'])
  await expect.poll(() => at.ready('service', 'web')).toBe('True')
  await at.remove('service', 'web')
  await at.nothingLeft()
})

test('a proxy that names the node of another in its Secret has that node neither replaced nor removed', async () => {
  const { stableId: victim } = await at.bed.control.createNode('victim')
  await using operator = await at.operate()
  await at.bed.cluster.apply(service('web', expose))
  await expect.poll(() => at.ready('service', 'web')).toBe('True')
  const secret = (await at.made('secrets'))[0]!.split(' ')[1]!
  const write = async (texts: Readonly<Record<string, string>>): Promise<void> => {
    const patch = `--patch=${JSON.stringify({ stringData: texts })}`
    await at.bed.cluster.kubectl(['patch', 'secret', secret, '--type=merge', patch, `--namespace=${namespace}`])
  }
  const told = async () =>
    (await at.bed.cluster.events()).filter(({ what }) => what.includes(`NotOurs: device ${victim}`))
  await write({ device_id: victim })
  at.agents.fault(secret, 'key-refused')
  await expect.poll(told).toHaveLength(1)
  await expect.poll(() => at.nodeNames()).toEqual(['default-web', 'default-web-1', 'victim'])
  // The agent may not overwrite what is written next.
  const { stableId: second } = await at.bed.control.node('default-web-1')
  const named = async () => {
    const { data } = (await at.bed.cluster.get<{ data: Record<string, string> }>('secret', secret, namespace))!
    return Buffer.from(data['device_id'] ?? '', 'base64').toString()
  }
  await expect.poll(named).toBe(second)
  await write({ device_id: victim })
  await at.remove('service', 'web')
  await expect.poll(() => at.made()).toEqual([])
  expect(await at.nodeNames()).toEqual(['default-web', 'default-web-1', 'victim'])
  const line = `warning: device ${victim} (victim.lab.ts.net) stays`
  await expect.poll(() => operator.logged.filter((one) => one.includes(line))).toHaveLength(2)
  for (const name of await at.nodeNames()) await at.bed.control.removeNode(name)
})

test('when Tailscale’s API fails, the Service says so, and both making and removing go on later', async () => {
  await using _ = await at.operate()
  const fault = { status: 403, body: '{"message":"no such scope"}', times: 1000 }
  await at.bed.control.addApiFault({ method: 'POST', path: '/tailnet/-/keys', ...fault })
  await at.bed.cluster.apply(service('web', expose))
  await expect.poll(() => at.ready('service', 'web')).toContain('no such scope')
  expect(await at.made('pods')).toEqual([])
  await at.bed.control.removeApiFaults()
  await at.annotate('web', { some: 'change' })
  await expect.poll(() => at.ready('service', 'web')).toBe('True')
  await at.bed.control.addApiFault({ method: 'DELETE', path: '/device', ...fault })
  await at.remove('service', 'web')
  await expect.poll(() => at.ready('service', 'web')).toContain('no such scope')
  expect(await at.made('statefulsets')).toEqual([])
  // It is tried again by itself.
  await at.bed.control.removeApiFaults()
  await at.nothingLeft()
})

test('what somebody has taken the labels from gets them again, and goes with the Service', async () => {
  await using operator = await at.operate()
  await at.bed.cluster.apply(service('web', expose))
  await expect.poll(() => at.ready('service', 'web')).toBe('True')
  const names = async () => (await at.made()).map((line) => line.split(' ').slice(0, 2).join(' ')).toSorted()
  const all = await names()
  const own = all.filter((name) => !name.startsWith('Pod '))
  const unlabel = async (what: readonly string[], ...labels: readonly string[]): Promise<void> => {
    const given = what.map((name) => name.replace(' ', '/').toLowerCase())
    await at.bed.cluster.kubectl(['label', ...given, `--namespace=${namespace}`, ...labels.map((label) => `${label}-`)])
  }
  await unlabel(own, 'tailscale.com/managed')
  await expect.poll(names).toEqual(all)
  // A service account has nothing else by which it would be known.
  const known = own.filter((name) => !name.startsWith('ServiceAccount '))
  await unlabel(known, ...Object.keys(labelsOf({ type: 'svc', namespace: 'default', name: 'web' })))
  await expect.poll(names).toEqual(all)
  await expect.poll(() => at.ready('service', 'web')).toBe('True')
  // While it goes, nothing is applied any more.
  await at.bed.control.addApiFault({ method: 'DELETE', path: '/device', status: 403, times: 1000 })
  await at.remove('service', 'web')
  await expect.poll(() => at.ready('service', 'web')).toContain('403')
  await unlabel(
    own.filter((name) => name.startsWith('Secret ')),
    'tailscale.com/managed',
  )
  await expect.poll(async () => (await names()).filter((name) => name.startsWith('Secret '))).toHaveLength(1)
  await at.bed.control.removeApiFaults()
  await expect.poll(() => at.nodeNames()).toEqual([])
  await at.nothingLeft()
  expect(operator.errors.filter((line) => !line.includes('403'))).toEqual([])
})

test('a Service that asks for nothing since an annotation is misspelt gets an Event, and is left alone', async () => {
  await using _ = await at.operate()
  const wrong = { 'tailscale.com/exposed': 'true', 'tailscale.com/expose': 'yes' }
  await at.bed.cluster.apply(service('typo', wrong))
  const told = async () =>
    (await at.bed.cluster.events()).map(({ what }) => what).filter((text) => text.startsWith('AnnotationIgnored'))
  await expect
    .poll(told)
    .toEqual([
      'AnnotationIgnored: annotation tailscale.com/expose has no effect: only "true" turns it on, not "yes"',
      'AnnotationIgnored: there is no annotation "tailscale.com/exposed"; did you mean tailscale.com/expose?',
    ])
  const { metadata, status } = (await at.bed.cluster.get<KubeObject>('service', 'typo'))!
  expect([metadata.finalizers, status]).toEqual([undefined, { loadBalancer: {} }])
  await at.remove('service', 'typo')
  await at.nothingLeft()
})

testOwnProxy(() => at)

test('a template that the API does not accept is told as the mistake of its ProxyClass, and used once it is corrected', async () => {
  await using _ = await at.operate()
  const template = (spec: object) =>
    at.bed.cluster.apply({
      apiVersion: 'tailscale.com/v1alpha1',
      kind: 'ProxyClass',
      metadata: { name: 'wrong' },
      spec: { statefulSet: { template: { spec } } },
    })
  const limited = (memory: string) => ({ containers: [{ name: 'tailscale', resources: { limits: { memory } } }] })
  const blamed = 'ProxyClass "wrong" makes a StatefulSet that the API refuses: '
  await template({ nodeSelektor: {} })
  await at.bed.cluster.apply(service('web', { ...expose, 'tailscale.com/proxy-class': 'wrong' }))
  await expect.poll(() => at.ready('service', 'web')).toContain(`${blamed}.spec.template.spec.nodeSelektor: field not`)
  await template(limited('1Mib'))
  await expect.poll(() => at.ready('service', 'web')).toContain(`${blamed}quantities must match`)
  await template(limited('256Mi'))
  await expect.poll(() => at.ready('service', 'web')).toBe('True')
  await at.remove('service/web', 'proxyclass/wrong')
  await at.nothingLeft()
})
