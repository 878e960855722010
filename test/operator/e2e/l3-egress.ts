import { beforeAll, expect, test } from 'vitest'
import { ways } from '../../e2e/cluster.ts'
import { ask, type Host } from '../../lab/bed.ts'
import type { KubeObject } from '../../lab/cluster/kubectl.ts'
import { backendObjects } from '../../lab/cluster/proxy.ts'
import { namespace } from '../operator-process.ts'
import type { L3Cluster } from './l3-cluster.ts'
import { made, nothingLeft } from './nothing-left.ts'

export function l3Egress(started: () => L3Cluster): void {
  let cluster: L3Cluster
  let bed: L3Cluster['bed']
  /** Pods of two namespaces. */
  let clients: readonly Host[]
  beforeAll(async () => {
    cluster = started()
    bed = cluster.bed
    const namespaces = ['default', 'other']
    await Promise.all(namespaces.map((where) => bed.cluster.wait('pod/client', 'Ready', { namespace: where })))
    clients = await Promise.all(namespaces.map((where) => bed.cluster.pod('client', where)))
  })
  const ready = () => cluster.ready('target')

  /** The addresses to which the cluster's DNS resolves the Service, asked from a Pod of a namespace. */
  async function resolved(from: string): Promise<readonly string[]> {
    const command = ['nslookup', 'target.default.svc.cluster.local']
    const exec = ['exec', 'client', `--namespace=${from}`, '--', ...command]
    const { stdout } = await bed.cluster.kubectl(exec, { check: false })
    const answer = stdout.split('\n\n').slice(1).join('\n')
    return [...answer.matchAll(/^Address(?: \d+)?: *(\S+)/gm)].map(([, address = '']) => address)
  }

  /** Pods of all namespaces reach the host of the tailnet by the Service's name. */
  async function reached(host: string, some: Partial<(typeof ways)[number]> = {}): Promise<void> {
    for (const from of ['default', 'other']) await expect.poll(() => resolved(from)).toHaveLength(2)
    const addresses = await resolved('default')
    for (const client of clients) {
      for (const { family, protocol } of waysOf(some)) {
        const to = addresses.find((one) => one.includes(':') === (family === 'v6'))!
        await expect
          .poll(() => ask(client, { to, protocol, patience: 5000 }).catch(String), { message: `${protocol} ${to}` })
          .toMatchObject({ host })
      }
    }
  }

  const waysOf = ({ family: of, protocol: by }: Partial<(typeof ways)[number]>) =>
    ways.filter(({ family, protocol }) => (of ?? family) === family && (by ?? protocol) === protocol)

  const fqdn = 'tailscale.com/tailnet-fqdn'
  const ip = 'tailscale.com/tailnet-ip'

  test('Pods of every namespace reach a node of the tailnet by the name of a Service, in both families', async () => {
    const [service] = backendObjects('target')
    await bed.cluster.apply(service!)
    await cluster.annotate('target', { [fqdn]: 'warehouse.lab.ts.net', 'tailscale.com/hostname': 'egress' })
    await expect.poll(ready).toBe('True')
    expect(await cluster.service('target')).toMatchObject({
      spec: {
        type: 'ExternalName',
        externalName: expect.stringMatching(/^ts-target-\w+\.tailscale\.svc\.cluster\.local$/),
      },
    })
    await reached('warehouse')
    expect(await bed.control.node('egress')).toMatchObject({ tags: ['tag:k8s'] })
  })

  test('two targets are refused, and the first goes on', async () => {
    await cluster.annotate('target', { [ip]: '100.64.0.1' })
    await expect.poll(ready).toContain('a Service has one target')
    await reached('warehouse')
    const events = await bed.cluster.list<{ reason: string; message: string }>('events', 'default')
    expect(events.find(({ reason }) => reason === 'INVALIDSERVICE')?.message).toContain('Remove one of the annotations')
  })

  test('the target can be an address, and the node stays', async () => {
    const { stableId } = await bed.control.node('egress')
    const { addresses } = await bed.control.node('depot')
    const address = (colon: boolean): string => addresses.find((one) => one.includes(':') === colon)!
    await cluster.annotate('target', { [fqdn]: null, [ip]: address(false) })
    await expect.poll(ready).toBe('True')
    await reached('depot', { family: 'v4' })
    await cluster.annotate('target', { [ip]: address(true) })
    await expect.poll(ready).toBe('True')
    await reached('depot', { family: 'v6' })
    expect((await bed.control.node('egress')).stableId).toBe(stableId)
  })

  // The echo server answers datagrams from another address than the one that was asked.
  test('the target can be behind a subnet router, by 4via6 and by its own address', async () => {
    await cluster.annotate('target', { [ip]: null, [fqdn]: '192-0-2-7-via-7.lab.ts.net' })
    await expect.poll(ready).toBe('True')
    await reached('router', { family: 'v6', protocol: 'tcp' })
    await cluster.annotate('target', { [fqdn]: null, [ip]: '192.0.2.7' })
    await expect.poll(ready).toBe('True')
    await reached('router', { family: 'v4', protocol: 'tcp' })
  })

  test('a target that is missing is waited for', async () => {
    await cluster.annotate('target', { [ip]: null, [fqdn]: 'late.lab.ts.net' })
    await expect.poll(ready).toContain('does not forward to the target yet')
    await bed.control.createNode('late')
    await expect.poll(ready).toBe('True')
  })

  test('a NetworkPolicy says who may use the proxy, if that is asked for', async () => {
    await cluster.annotate('target', { 'culvert/allow-from': '[default, other]' })
    await expect.poll(() => made(bed, 'networkpolicies')).toHaveLength(1)
    const [pod] = await bed.cluster.list('pods', namespace)
    const [policy] = await bed.cluster.list<KubeObject & { spec: { podSelector: { matchLabels: object } } }>(
      'networkpolicies',
      namespace,
    )
    expect(pod?.metadata['labels']).toMatchObject(policy!.spec.podSelector.matchLabels)
    await cluster.annotate('target', { 'culvert/allow-from': null })
    await expect.poll(() => made(bed, 'networkpolicies')).toEqual([])
  })

  test('a Service that names no target any more is what it was, and nothing is left', async () => {
    await cluster.annotate('target', { [fqdn]: null })
    await bed.control.removeNode('late')
    await nothingLeft(bed)
    const { metadata, spec, status } = await cluster.service('target')
    expect(metadata['annotations']).toEqual({ 'tailscale.com/hostname': 'egress' })
    expect([metadata['finalizers'], status.conditions]).toEqual([undefined, undefined])
    const {
      clusterIP: _one,
      clusterIPs: _all,
      ...before
    } = (backendObjects('target')[0]!['spec'] ?? {}) as Record<string, unknown>
    expect(spec).toMatchObject({ ...before, type: 'ClusterIP' })
    expect(cluster.operator.errors).toEqual([])
  })
}
