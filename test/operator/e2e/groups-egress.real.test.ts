import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { ways } from '../../e2e/cluster.ts'
import { expectNothingFailed, restartUnderLoad } from '../../e2e/egress-rollout.ts'
import { startTraffic } from '../../lab/bed.ts'
import { ofMany } from '../../lab/patience.ts'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { statusIn } from '../../../operator/group-egress/replicas.ts'
import { namespace } from '../operator-process.ts'
import { EgressGroupCluster, echoPort } from './egress-group-cluster.ts'
import { made, nodesOf } from './nothing-left.ts'

let egress: EgressGroupCluster
beforeAll(async () => {
  egress = await EgressGroupCluster.start()
})
afterAll(() => egress[Symbol.asyncDispose]())
beforeEach(() => egress.printLogsOnFailure())

const tcp = ways.filter(({ protocol }) => protocol === 'tcp')
// In the bed, Tailscale’s agent of this version forwards no IPv6.
const tcp4 = tcp.filter(({ family }) => family === 'v4')
const allReady = 'True ReadyToRouteTraffic: 3 of 3 replicas forward to db.lab.ts.net'

type Slice = { readonly endpoints: readonly unknown[] | null; readonly ports: readonly { readonly port: number }[] }
/** How many Pods each EndpointSlice of a Service has; with `ports`, of those that have so many. */
async function endpoints(name: string, ports?: number): Promise<number[]> {
  const selector = `tailscale.com/parent-resource=${name}`
  return (await egress.bed.cluster.list<Slice>('endpointslices', namespace, { selector }))
    .filter((slice) => slice.ports.length === (ports ?? slice.ports.length))
    .map(({ endpoints: all }) => all?.length ?? 0)
}

/** Does something while each client opens new connections to a Service, of which none may fail. */
async function underLoad(work: () => Promise<void>, service = 'db'): Promise<void> {
  const { v4: to } = await egress.addresses(service)
  const often = { protocol: 'tcp', mode: 'connect', every: 50, count: 1_000_000 } as const
  const load = await Promise.all(egress.clients.map((client) => startTraffic(client, { to, port: echoPort, ...often })))
  await work()
  const reports = await Promise.all(load.map((one) => one.stop()))
  expect(reports.map(({ sent, answered, failures }) => ({ failures, unanswered: sent - answered }))).toEqual(
    reports.map(() => ({ failures: [], unanswered: 0 })),
  )
}

/** The file of a group. */
async function files(group: string): Promise<string> {
  const map = await egress.bed.cluster.get<KubeObject & { binaryData?: Record<string, string> }>(
    'configmap',
    `${group}-egress-config`,
    namespace,
  )
  return Buffer.from(map?.binaryData?.['egress-services'] ?? '', 'base64').toString()
}

/** The Services that a replica says it forwards. */
async function forwarded(replica: string): Promise<readonly string[]> {
  const secret = await egress.bed.cluster.get<KubeObject>('secret', replica, namespace)
  return [...(secret === undefined ? [] : (statusIn(secret)?.services.keys() ?? []))]
}

test('Pods of every node reach a target through the group and the Service of the docs, by its name', async () => {
  await expect.poll(() => egress.condition('db', 'Ready')).toBe(allReady)
  await egress.reaches('db', 'db', tcp)
  const addresses = Object.values(await egress.addresses('db')).toSorted()
  await expect.poll(async () => (await egress.resolved('db')).toSorted()).toEqual(addresses)
  expect(await egress.condition('db', 'Valid')).toMatch(/^True EgressSvcValid/)
  expect(await egress.condition('db', 'Configured')).toMatch(/^True ConfiguredFor:ProxyGroup:egress:Config:/)
})

// Kubelet looks by itself once in an hour.
test('a new Service and a changed target arrive at once, and the Pods stay', async () => {
  const pods = async () => (await egress.bed.cluster.list('pods', namespace)).map(({ metadata }) => metadata['uid'])
  const before = await pods()
  await egress.add('new', 'db')
  await egress.reaches('new', 'db')
  await egress.add('new', 'other')
  await egress.reaches('new', 'other', tcp)
  await egress.reaches('db', 'db', tcp)
  expect(await pods()).toEqual(before)
})

test('a changed target refuses no connection, and is Ready once all lead to it', async () => {
  await underLoad(async () => {
    for (const target of ['other', 'db']) {
      const annotation = `tailscale.com/tailnet-fqdn=${target}.lab.ts.net`
      await egress.bed.cluster.kubectl(['annotate', 'service', 'db', annotation, '--overwrite'])
      await expect
        .poll(() => egress.condition('db', 'Ready'))
        .toBe(`True ReadyToRouteTraffic: 3 of 3 replicas forward to ${target}.lab.ts.net`)
      await egress.reaches('db', target, tcp4)
    }
  })
})

test('a rolling restart under load fails no new connection', async () => {
  expectNothingFailed(await restartUnderLoad(egress, 'db', 1))
  await expect.poll(() => egress.condition('db', 'Ready')).toBe(allReady)
})

test('a Service whose target is missing says so, and affects no other', async () => {
  await egress.add('lost', 'missing')
  await expect
    .poll(() => egress.condition('lost', 'Ready'))
    .toMatch(
      /^False NotReadyToRouteTraffic: 0 of 3 replicas forward to missing\.lab\.ts\.net; egress-0: .*target may be missing/,
    )
  await egress.reaches('db', 'db', tcp)
})

test('a Service gets another port, and loses it, and no new connection to the first one fails', async () => {
  const patch = (...changes: readonly object[]) =>
    egress.bed.cluster.kubectl(['patch', 'service', 'db', '--type=json', `--patch=${JSON.stringify(changes)}`])
  // With that for health checks.
  const ports = (await egress.service('db')).spec.ports.length + 1
  await underLoad(async () => {
    await patch({ op: 'add', path: '/spec/ports/-', value: { name: 'more', port: 9999, protocol: 'TCP' } })
    await expect.poll(() => endpoints('db', ports + 1)).toEqual([3, 3])
    await patch({ op: 'remove', path: `/spec/ports/${ports - 1}` })
    await expect.poll(() => endpoints('db', ports)).toEqual([3, 3])
    await expect.poll(() => egress.condition('db', 'Ready')).toBe(allReady)
  })
})

test('Tailscale’s agent carries a new Service at once, too, in a group of its own', async () => {
  await egress.addUpstream('theirs')
  const group = { 'tailscale.com/proxy-group': 'theirs' }
  await egress.add('first', 'db', group)
  await expect.poll(() => egress.condition('first', 'Ready')).toMatch(/^True ReadyToRouteTraffic: 1 of 1/)
  await egress.reaches('first', 'db', tcp4)
  await egress.add('second', 'other', group)
  await egress.reaches('second', 'other', tcp4)
})

test('a Service moves from group to group, keeps its address, and no new connection fails', async () => {
  const before = await egress.addresses('second')
  await underLoad(async () => {
    await egress.add('second', 'other')
    await expect.poll(() => egress.condition('second', 'Ready')).toMatch(/^True ReadyToRouteTraffic: 3 of 3/)
    await expect.poll(() => endpoints('second')).toEqual([3, 3])
    // Then those of the group before stop.
    await expect.poll(() => files('theirs')).not.toContain('default-second')
  }, 'second')
  await egress.reaches('second', 'other', tcp)
  expect(await egress.addresses('second')).toEqual(before)
})

test('nothing is left of Services that are gone, and of groups', async () => {
  const { cluster } = egress.bed
  await cluster.kubectl(['delete', 'service', 'new', 'lost', 'first', 'second', '--wait=false'])
  await cluster.kubectl(['annotate', 'service', 'db', 'tailscale.com/proxy-group-', 'tailscale.com/tailnet-fqdn-'])
  await expect.poll(() => made(egress.bed, 'services,endpointslices')).toEqual([])
  await expect.poll(async () => (await egress.service('db')).metadata['finalizers']).toBeUndefined()
  // Another controller makes it what it was.
  const released = async () => {
    const { spec, status } = await egress.service('db')
    return [spec.type, spec.externalName, status.conditions]
  }
  await expect.poll(released).toEqual(['ExternalName', 'unused', undefined])
  // Tailscale’s agent must not be told to end while it still has Services, or while the tailnet changes: then it may
  // need all the time that its Pod has, which is six minutes.
  await expect.poll(() => forwarded('theirs-0')).toEqual([])
  await cluster.kubectl(['delete', 'proxygroup', 'theirs', '--wait=false'])
  const left = () => made(egress.bed, 'pods,secrets,configmaps,statefulsets,networkpolicies')
  const ofTheirs = async () => (await left()).filter((one) => one.includes('/theirs'))
  await expect.poll(ofTheirs, ofMany).toEqual([])
  await cluster.kubectl(['delete', 'proxygroup', 'egress', '--wait=false'])
  await expect.poll(left).toEqual([])
  await expect.poll(() => nodesOf(egress.bed)).toEqual([])
  expect(egress.operator.errors).toEqual([])
})
