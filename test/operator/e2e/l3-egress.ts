import { beforeAll, expect, test } from 'vitest'
import type { KubeObject } from '../../lab/cluster/kubectl.ts'
import { backendObjects } from '../../lab/cluster/proxy.ts'
import { namespace } from '../operator-process.ts'
import { ByName } from './by-name.ts'
import type { L3Cluster } from './l3-cluster.ts'
import { made, nothingLeft } from './nothing-left.ts'

type Expression = { readonly key: string; readonly operator: string; readonly values: readonly string[] }
type Peer = { readonly namespaceSelector: { readonly matchExpressions: readonly Expression[] } }
type Policy = KubeObject & {
  readonly spec: {
    readonly podSelector: { readonly matchLabels: object }
    readonly ingress: readonly { readonly from: readonly Peer[] }[]
  }
}

/** `isLong`: also with targets that agents are shown to reach elsewhere. */
export function l3Egress(started: () => L3Cluster, isLong = false): void {
  let cluster: L3Cluster
  let bed: L3Cluster['bed']
  let pods: ByName
  beforeAll(async () => {
    cluster = started()
    bed = cluster.bed
    pods = await ByName.of(bed, 'target')
  })
  const ready = () => cluster.ready('target')

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
    await pods.reached('warehouse')
    expect(await bed.control.node('egress')).toMatchObject({ tags: ['tag:k8s'] })
  })

  test('two targets are refused, and the first goes on', async () => {
    await cluster.annotate('target', { [ip]: '100.64.0.1' })
    await expect.poll(ready).toContain('a Service has one target')
    await pods.reached('warehouse')
    const told = async () =>
      (await bed.cluster.list<{ reason: string; message: string }>('events', 'default')).find(
        ({ reason }) => reason === 'INVALIDSERVICE',
      )?.message
    await expect.poll(told).toContain('Remove one of the annotations')
  })

  test('the target can be an address, and the node stays', async () => {
    const { stableId } = await bed.control.node('egress')
    const { addresses } = await bed.control.node('depot')
    const address = (colon: boolean): string => addresses.find((one) => one.includes(':') === colon)!
    await cluster.annotate('target', { [fqdn]: null, [ip]: address(false) })
    await expect.poll(ready).toBe('True')
    await pods.reached('depot', { family: 'v4' })
    await cluster.annotate('target', { [ip]: address(true) })
    await expect.poll(ready).toBe('True')
    await pods.reached('depot', { family: 'v6' })
    expect((await bed.control.node('egress')).stableId).toBe(stableId)
  })

  if (isLong) {
    // The echo server answers datagrams from another address than the one that was asked.
    test('the target can be behind a subnet router, by 4via6 and by its own address', async () => {
      await cluster.annotate('target', { [ip]: null, [fqdn]: '192-0-2-7-via-7.lab.ts.net' })
      await expect.poll(ready).toBe('True')
      await pods.reached('router', { family: 'v6', protocol: 'tcp' })
      await cluster.annotate('target', { [fqdn]: null, [ip]: '192.0.2.7' })
      await expect.poll(ready).toBe('True')
      await pods.reached('router', { family: 'v4', protocol: 'tcp' })
    })
  }

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
    const [policy] = await bed.cluster.list<Policy>('networkpolicies', namespace)
    expect(pod?.metadata['labels']).toMatchObject(policy!.spec.podSelector.matchLabels)
    // The bed's network enforces no policies; that the API selects by it is as near as one gets.
    const [{ key, operator, values } = { key: '', operator: '', values: [] }] =
      policy!.spec.ingress[0]!.from[0]!.namespaceSelector.matchExpressions
    expect(operator).toBe('In')
    const selector = `--selector=${key} in (${values.join(',')})`
    const { stdout } = await bed.cluster.kubectl(['get', 'namespaces', selector, '--output=name'])
    expect(stdout.trim().split('\n')).toEqual(['namespace/default', 'namespace/other'])
    await cluster.annotate('target', { 'culvert/allow-from': null })
    await expect.poll(() => made(bed, 'networkpolicies')).toEqual([])
  })

  test('a Service that names no target any more is what it was, and nothing is left', async () => {
    await cluster.annotate('target', { [fqdn]: null })
    await bed.control.removeNode('late')
    await nothingLeft(bed)
    // The Service is released once all is gone.
    const left = async () => {
      const { metadata, status } = await cluster.service('target')
      return [metadata['annotations'], metadata['finalizers'], status.conditions]
    }
    await expect.poll(left).toEqual([{ 'tailscale.com/hostname': 'egress' }, undefined, undefined])
    const { spec } = await cluster.service('target')
    const {
      clusterIP: _one,
      clusterIPs: _all,
      ...before
    } = (backendObjects('target')[0]!['spec'] ?? {}) as Record<string, unknown>
    expect(spec).toMatchObject({ ...before, type: 'ClusterIP' })
    expect(cluster.operator.errors).toEqual([])
  })
}
