import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { namespace } from '../operator-process.ts'
import { custom, playedTailnet } from '../operate.ts'
import { machineKeyFor } from '../played-state.ts'
import { all, group, GroupsBed, textIn } from './groups-bed.ts'
import { manifests } from './page.ts'

let at: GroupsBed
beforeAll(async () => {
  at = await GroupsBed.start()
})
afterAll(() => at[Symbol.asyncDispose]())
beforeEach(() => printLogsOnFailure(at.bed))

test('replicas have static endpoints by ports of nodes, and lose them with the class that asks for them', async () => {
  await using operator = await at.run(playedTailnet())
  const fixed = custom('ProxyClass', 'fixed', {
    staticEndpoints: { nodePort: { ports: [{ port: 30_100, endPort: 30_110 }], selector: { edge: 'yes' } } },
  })
  await at.bed.cluster.apply(fixed, group('fixed', { proxyClass: 'fixed' }))
  await expect.poll(() => at.standing('fixed')).toContain('has an address of the type ExternalIP')
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'edge', labels: { edge: 'yes' } } }
  await at.bed.cluster.apply(node)
  const addresses = [{ type: 'ExternalIP', address: '203.0.113.7' }]
  const patch = JSON.stringify({ status: { addresses } })
  await at.bed.cluster.kubectl(['patch', 'node/edge', '--subresource=status', '--type=merge', `--patch=${patch}`])
  await at.isReady('fixed', 2)
  // The operator may have seen the Pod before the config that it has written itself.
  await expect
    .poll(async () => (await at.shown.status('proxygroup', 'fixed'))['devices'])
    .toMatchObject([
      { hostname: 'fixed-0', staticEndpoints: ['203.0.113.7:30100'] },
      { hostname: 'fixed-1', staticEndpoints: ['203.0.113.7:30101'] },
    ])
  expect(await at.configOf('fixed-1')).toMatchObject({ StaticEndpoints: ['203.0.113.7:30101'] })
  await at.bed.cluster.apply(group('fixed', {}))
  await expect.poll(() => at.namesOf('service', 'fixed')).toEqual([])
  await expect.poll(() => at.configOf('fixed-1')).not.toHaveProperty('StaticEndpoints')
  await at.remove('fixed')
  await at.bed.cluster.kubectl(['delete', 'node/edge', 'proxyclass/fixed'])
  expect(operator.bugs()).toEqual([])
})

test('ingress groups share an ACME account, which stays as long as one of them uses it', async () => {
  await using operator = await at.run(playedTailnet())
  const sharing = (name: string) =>
    group(name, { type: 'ingress' }, { annotations: { 'tailscale.com/share-acme-account': 'true' } })
  await at.bed.cluster.apply(sharing('one'), group('two', { type: 'ingress' }))
  const accounts = () => at.get('secret', 'tailscale-acme-accounts')
  await expect.poll(accounts).toBeDefined()
  const roles = async (name: string) => JSON.stringify((await at.shown.children('role', name))[0]?.['rules'])
  await expect.poll(() => roles('one')).toContain('tailscale-acme-accounts')
  await expect.poll(() => roles('two')).toContain('two-1')
  expect(await roles('two')).not.toContain('tailscale-acme-accounts')
  await at.bed.cluster.kubectl(['delete', 'secret/tailscale-acme-accounts', `--namespace=${namespace}`, '--wait=false'])
  const told = ['get', 'events', '--all-namespaces', '--field-selector=reason=ACMEAccountsPendingDeletion']
  await expect.poll(async () => (await at.bed.cluster.kubectl(told)).stdout).toContain('proxygroup/one')
  expect(await accounts()).toBeDefined()
  await at.remove('one')
  await expect.poll(accounts).toBeUndefined()
  await at.remove('two')
  expect(operator.bugs()).toEqual([])
})

test('what cannot be done is told, and nothing is made', async () => {
  const tailnet = playedTailnet()
  await using operator = await at.run(tailnet)
  await at.bed.cluster.apply(
    group('a'.repeat(49)),
    group('elsewhere', { tailnet: 'second' }),
    // The operator's own objects have this name.
    group('operator'),
  )
  await expect.poll(() => at.standing('a'.repeat(49))).toContain('ProxyGroupInvalid: its name "aaa')
  await expect
    .poll(() => at.standing('elsewhere'))
    .toContain('ProxyGroupTailnetUnavailable: This operator does not manage')
  await expect.poll(() => at.standing('operator')).toContain('belongs to somebody else')
  expect(await at.namesOf(all, 'elsewhere')).toEqual([])
  expect((await at.bed.cluster.get<KubeObject>('proxygroup', 'elsewhere'))!.metadata.finalizers).toBeUndefined()
  expect(tailnet.calls).toEqual([])
  for (const name of ['a'.repeat(49), 'elsewhere', 'operator']) await at.remove(name)
  expect(await at.get('serviceaccount', 'operator')).toBeDefined()
  expect(operator.bugs()).toEqual([])
})

test('a group of Tailscale’s operator is taken over: its devices stay, and no key is made', async () => {
  const labels = {
    'tailscale.com/managed': 'true',
    'tailscale.com/parent-resource-type': 'proxygroup',
    'tailscale.com/parent-resource': 'theirs',
  }
  await at.bed.cluster.apply(group('theirs', { replicas: 1 }, { finalizers: ['tailscale.com/finalizer'] }))
  const { apiVersion, kind, metadata: of } = (await at.bed.cluster.get<KubeObject>('proxygroup', 'theirs'))!
  const owner = { apiVersion, kind, name: of.name, uid: of.uid!, controller: true, blockOwnerDeletion: true }
  const metadata = (name: string, more: object = {}) => ({
    name,
    namespace,
    labels: { ...labels, ...more },
    ownerReferences: [owner],
  })
  const encode = (texts: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]))
  const joinedState = {
    device_id: 'nTheirs',
    device_fqdn: 'theirs-0.lab.ts.net.',
    device_ips: '["100.64.3.3"]',
    _machinekey: machineKeyFor('nTheirs'),
  }
  const objects: KubeObject[] = [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: metadata('theirs-0-config', { 'tailscale.com/secret-type': 'config' }),
      data: encode({ 'cap-106.hujson': '{"Version":"alpha0","Hostname":"theirs-0"}' }),
    },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: metadata('theirs-0', { 'tailscale.com/secret-type': 'state' }),
      data: encode(joinedState),
    },
    {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: metadata('theirs'),
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: { containers: [{ name: 'tailscale', image: 'x', securityContext: { privileged: true } }] },
        },
      },
    },
  ]
  await at.bed.cluster.kubectl(['create', '--field-manager=operator', '--filename=-'], {
    input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
  })
  const tailnet = playedTailnet()
  await using operator = await at.run(tailnet)
  await at.isReady('theirs', 1)
  expect(tailnet.calls).toEqual([])
  const [set] = await at.shown.children('statefulset', 'theirs')
  expect(set).toMatchObject({ spec: { podManagementPolicy: 'OrderedReady' } })
  type Spec = { template: { spec: { containers: [{ securityContext: object }] } } }
  expect((set!['spec'] as Spec).template.spec.containers[0].securityContext).not.toHaveProperty('privileged')
  const state = await at.get('secret', 'theirs-0')
  expect([textIn(state, 'device_id'), textIn(state, '_machinekey')]).toEqual(['nTheirs', machineKeyFor('nTheirs')])
  // Otherwise Kubernetes would remove the Secrets before the nodes are.
  for (const one of await at.shown.children(all, 'theirs'))
    if (one.kind !== 'Pod') expect(one.metadata.ownerReferences, one.kind).toBeUndefined()
  await at.remove('theirs')
  expect(tailnet.calls).toEqual(['remove device nTheirs'])
  expect(operator.bugs()).toEqual([])
})

test('the manifests of the page work as they stand, and a replica reaches no more than it says', async () => {
  const tailnet = playedTailnet()
  await using operator = await at.run(tailnet)
  const [groups = [], classes = [], policy = []] = manifests('docs/proxy-group.md')
  await at.bed.cluster.apply(...groups, ...classes, ...policy)
  await at.isReady('egress', 3)
  expect((await at.shown.status('proxygroup', 'egress'))['devices']).toMatchObject([
    { hostname: 'cluster-a-0' },
    { hostname: 'cluster-a-1' },
    { hostname: 'cluster-a-2' },
  ])
  for (const name of ['by-node-port', 'by-load-balancer'])
    await expect.poll(() => at.shown.standing(name, 'proxyclass', 'ProxyClassReady')).toContain('ProxyClassValid')

  const bound = ['--bound-object-kind=Pod', '--bound-object-name=egress-1', `--namespace=${namespace}`]
  const token = (await at.bed.cluster.kubectl(['create', 'token', 'egress', ...bound])).stdout.trim()
  /** What the API says to the Pod. */
  const asPod = async (...argv: readonly string[]): Promise<string> => {
    const ran = await at.bed.cluster.kubectl([`--token=${token}`, `--namespace=${namespace}`, ...argv], {
      check: false,
    })
    return ran.exitCode === 0 ? 'done' : ran.stderr
  }
  const note = (secret: string) =>
    asPod('patch', `secret/${secret}`, '--type=merge', '--patch={"metadata":{"annotations":{"some":"note"}}}')
  await expect.poll(() => note('egress-0')).toContain('a proxy may only write the Secret that has the name of its Pod')
  expect(await note('egress-1')).toBe('done')
  expect(await asPod('get', 'secret/egress-1')).toBe('done')
  expect(await asPod('get', 'secret/egress-1-config')).toContain('forbidden')
  expect(await asPod('get', 'secrets')).toContain('forbidden')
  // Neither the operator nor the agent is kept from writing.
  const deviceOf = async () => textIn(await at.get('secret', 'egress-1'), 'device_id')
  const device = await deviceOf()
  operator.agents.fault('egress-1', 'key-refused')
  await expect.poll(() => tailnet.calls).toContain(`remove device ${device}`)
  await expect.poll(deviceOf).not.toBe(device)
  await at.isReady('egress', 3)
  await at.remove('egress')
  await at.bed.cluster.kubectl([
    'delete',
    'proxyclass/shared',
    'proxyclass/by-node-port',
    'proxyclass/by-load-balancer',
  ])
  const policies = 'validatingadmissionpolicy,validatingadmissionpolicybinding'
  await at.bed.cluster.kubectl(['delete', policies, 'proxies-write-their-own-state'])
  expect(operator.bugs()).toEqual([])
})
