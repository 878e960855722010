import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { KubeObject } from '../../lab/cluster/kubectl.ts'
import { namespace } from '../operator-process.ts'
import { testApiGroup } from './api-group.ts'
import { testApiProxy } from './api-proxy.ts'
import { GroupIngressCluster } from './group-ingress-cluster.ts'
import { examplesOf } from './pages.ts'

let here: GroupIngressCluster
beforeAll(async () => {
  here = await GroupIngressCluster.start({ shortWaits: true })
})
afterAll(() => here[Symbol.asyncDispose]())
beforeEach(() => here.printLogsOnFailure())

const pods = async () =>
  (await here.bed.cluster.list<KubeObject & { spec: { nodeName?: string } }>('pods', namespace)).map(
    ({ metadata, spec }) => ({ name: metadata.name, node: spec.nodeName }),
  )

test('with the manifests of the docs page the tailnet reaches a site and a Service, through two replicas', async () => {
  await here.bed.cluster.apply(...examplesOf('operator-ingress-group.md'))
  const port = { port: 443, protocol: 'TCP' }
  await expect.poll(() => here.entries('ingress', 'wiki')).toEqual([{ hostname: 'wiki.lab.ts.net', ports: [port] }])
  await expect.poll(() => here.condition('db')).toBe('True: 2/2 proxy backends ready and advertising')
  const [v4, v6] = (await here.bed.control.service('svc:db')).addresses
  expect(await here.entries('service', 'db')).toMatchObject([{ hostname: 'db.lab.ts.net', ip: v4 }, { ip: v6 }])
  const udp = [{ op: 'add', path: '/spec/ports/-', value: { name: 'udp', port: 5432, protocol: 'UDP' } }]
  await here.bed.cluster.kubectl(['patch', 'service', 'db', '--type=json', `--patch=${JSON.stringify(udp)}`])
  await here.reachable()
  expect(new Set((await pods()).map(({ node }) => node)).size).toBe(2)
  // One certificate for both.
  expect(await here.bed.acme.orders('wiki.lab.ts.net')).toHaveLength(1)
})

test('while all of three replicas are replaced, no new connection fails', async () => {
  await here.scale(3)
  await here.rolledOut('ingress')
  await here.underLoad(async () => {
    await here.relabel('second')
    await here.rolledOut('ingress')
  })
  expect(await here.bed.acme.orders('wiki.lab.ts.net')).toHaveLength(1)
})

testApiGroup(() => here)

testApiProxy(() => here)

test('nothing is left in the cluster and in the tailnet when all is deleted', async () => {
  await here.bed.cluster.kubectl(['delete', 'ingress/wiki', 'service/db', '--timeout=600s'])
  for (const service of ['svc:wiki', 'svc:db']) await expect(here.bed.control.service(service)).rejects.toThrow()
  await here.bed.cluster.kubectl(['delete', 'proxygroup/ingress', '--timeout=600s'])
  await expect.poll(() => here.made()).toEqual([])
  const names = (await here.bed.control.nodes()).map(({ name }) => name)
  expect(names.toSorted()).toEqual(['client1', 'client2'])
  expect(here.operator.errors).toEqual([])
})
