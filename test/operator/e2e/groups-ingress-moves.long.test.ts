import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { ask, startTraffic } from '../../lab/bed.ts'
import { proxyGroup } from '../group-ingress/group-bed.ts'
import { GroupIngressCluster } from './group-ingress-cluster.ts'
import { examplesOf } from './pages.ts'

let here: GroupIngressCluster
beforeAll(async () => {
  here = await GroupIngressCluster.start()
  await here.bed.cluster.apply(...examplesOf('operator-ingress-group.md'))
})
afterAll(() => here[Symbol.asyncDispose]())
beforeEach(() => here.printLogsOnFailure())

test('in another group it has the same addresses and certificate, and no new connection fails meanwhile', async () => {
  await here.serving(2)
  await here.reachable(['tcp'])
  await here.bed.cluster.apply(proxyGroup('other', 1))
  await here.rolledOut('other')
  const { addresses } = await here.bed.control.service('svc:db')
  const serving = async (service: string) =>
    (await here.bed.control.service(service)).hosts.flatMap(({ node, state }) => (state === 'serving' ? [node] : []))
  await here.underLoad(async () => {
    for (const [kind, name] of [
      ['ingress', 'wiki'],
      ['service', 'db'],
    ] as const)
      await here.annotate(kind, name, { 'tailscale.com/proxy-group': 'other' })
    await expect.poll(() => here.condition('db')).toBe('True: 1/1 proxy backends ready and advertising')
    for (const service of ['svc:wiki', 'svc:db']) await expect.poll(() => serving(service)).toEqual(['other-0'])
    // Only after that do those of the group before refuse.
    await expect.poll(() => here.forwarding('ingress')).toEqual([false, false])
  })
  expect((await here.bed.control.service('svc:db')).addresses).toEqual(addresses)
  expect(await here.bed.acme.orders('wiki.lab.ts.net')).toHaveLength(1)
})

test('with another name, no new connection to the old one fails before the new one answers, and then that goes', async () => {
  const often = { protocol: 'https', mode: 'connect', every: 100, count: 1_000_000, patience: 30_000 } as const
  const load = await Promise.all(
    here.clients.map((client) => startTraffic(client, { ...often, to: 'wiki.lab.ts.net' })),
  )
  const patch = [{ op: 'replace', path: '/spec/tls/0/hosts/0', value: 'pages' }]
  await here.bed.cluster.kubectl(['patch', 'ingress', 'wiki', '--type=json', `--patch=${JSON.stringify(patch)}`])
  const once = () => ask(here.clients[0]!, { to: 'pages.lab.ts.net', protocol: 'https', patience: 5000 }).catch(String)
  await expect.poll(once).toMatchObject({ host: 'wiki' })
  const answered = new Date().toISOString()
  const reports = await Promise.all(load.map((one) => one.stop()))
  expect(reports.flatMap(({ failures }) => failures.filter(({ at }) => at < answered))).toEqual([])
  await expect.poll(() => here.entries('ingress', 'wiki')).toMatchObject([{ hostname: 'pages.lab.ts.net' }])
  await expect.poll(() => here.bed.control.service('svc:wiki').catch(() => undefined)).toBeUndefined()
})

test('nothing is left in the cluster and in the tailnet when all is deleted', async () => {
  await here.bed.cluster.kubectl(['delete', 'ingress/wiki', 'service/db', '--timeout=600s'])
  for (const service of ['svc:pages', 'svc:db']) await expect(here.bed.control.service(service)).rejects.toThrow()
  await here.bed.cluster.kubectl(['delete', 'proxygroup/ingress', 'proxygroup/other', '--timeout=600s'])
  await expect.poll(() => here.made()).toEqual([])
  expect(here.operator.errors).toEqual([])
})
