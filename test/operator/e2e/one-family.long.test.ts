import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ProxyPod } from '../../e2e/cluster.ts'
import { ask, startEcho } from '../../lab/bed.ts'
import type { KubeObject } from '../../lab/cluster/kubectl.ts'
import { proxyGroup } from '../group-ingress/group-bed.ts'
import { namespace } from '../operator-process.ts'
import { GroupIngressCluster } from './group-ingress-cluster.ts'
import { examplesOf } from './pages.ts'

type Condition = { readonly type: string; readonly status: string; readonly message: string }
type Stored = KubeObject & {
  readonly spec: { readonly externalName?: string; readonly clusterIPs?: readonly string[] }
  readonly status?: { readonly conditions?: readonly Condition[] }
}

/** A Service through the egress group of the docs, to a node of the tailnet. */
function out(target: string): KubeObject {
  const [, service] = examplesOf('operator-egress-group.md')
  const annotations = { 'tailscale.com/proxy-group': 'egress', 'tailscale.com/tailnet-fqdn': `${target}.lab.ts.net` }
  return { ...service!, metadata: { name: 'out', namespace: 'default', annotations } }
}

describe.each([
  { family: 'IPv4', families: { ipv6: false } },
  { family: 'IPv6', families: { ipv4: false } },
] as const)('in a cluster with $family only', ({ family, families }) => {
  const isOwn = (address: string): boolean => address.includes(':') === (family === 'IPv6')
  // tailscaled 1.102 asks no control server for a certificate's record that it knows by an IPv6 address.
  const hasCertificates = family === 'IPv4'
  const examples = examplesOf('operator-ingress-group.md').filter(({ kind }) => hasCertificates || kind !== 'Ingress')
  let here: GroupIngressCluster
  beforeAll(async () => {
    here = await GroupIngressCluster.start(families)
  })
  afterAll(() => here[Symbol.asyncDispose]())
  beforeEach(() => here.printLogsOnFailure())

  test('groups carry traffic of it, refuse what they cannot lead on, and complain of nothing', async () => {
    const { cluster, control } = here.bed
    const [target] = here.clients
    await startEcho(target!, { ports: [5432] })
    await cluster.apply(
      ...examples,
      { ...proxyGroup('egress', 2), spec: { type: 'egress', replicas: 2 } },
      out('client1'),
    )

    await expect.poll(() => here.condition('db')).toBe('True: 2/2 proxy backends ready and advertising')
    const { addresses } = await control.service('svc:db')
    const own = addresses.find(isOwn)!
    const other = addresses.find((address) => !isOwn(address))!
    expect(await here.entries('service', 'db')).toMatchObject([{ hostname: 'db.lab.ts.net', ip: own }])
    await here.answering([own], ['tcp'])
    if (hasCertificates) await here.shows('wiki')
    await expect(ask(target!, { to: other, port: 5432, protocol: 'tcp' })).rejects.toThrow('ECONNREFUSED')

    const conditions = async (kind: string, name: string) =>
      ((await cluster.get<Stored>(kind, name))?.status?.conditions ?? []).map(
        ({ type, status, message }) => `${type} ${status}: ${message}`,
      )
    await expect
      .poll(() => conditions('service', 'out'))
      .toContain('TailscaleEgressSvcReady True: 2 of 2 replicas forward to client1.lab.ts.net')
    const behind = (await cluster.get<Stored>('service', 'out'))?.spec.externalName?.split('.')[0] ?? ''
    const clusterIPs = (await cluster.get<Stored>('service', behind, namespace))?.spec.clusterIPs ?? []
    expect(clusterIPs.map(isOwn)).toEqual([true])
    const inside = await cluster.pod('db')
    const once = () => ask(inside, { to: clusterIPs[0]!, port: 5432, protocol: 'tcp', patience: 5000 }).catch(String)
    await expect.poll(once).toMatchObject({ host: 'client1' })

    for (const [kind, name] of [
      ['service', 'db'],
      ['service', 'out'],
      ['proxygroup', 'ingress'],
      ['proxygroup', 'egress'],
    ] as const)
      await expect
        .poll(async () => (await conditions(kind, name)).filter((one) => !/^\S+ True: /.test(one)), { message: name })
        .toEqual([])
    for (const name of ['ingress-0', 'ingress-1', 'egress-0', 'egress-1']) {
      const failing = async () => {
        const { stdout, exitCode } = await new ProxyPod(cluster, name).exec('culvert', 'ready', '--verbose')
        return [exitCode, ...stdout.split('\n').filter((line) => line.startsWith('[!]') || line.startsWith('[-]'))]
      }
      await expect.poll(failing, { message: name }).toEqual([0])
    }
    expect(here.operator.errors).toEqual([])
  })
})
