import { beforeAll, expect, test } from 'vitest'
import { nodeAddresses, ways } from '../../e2e/cluster.ts'
import { ask } from '../../lab/bed.ts'
import { backendObjects } from '../../lab/cluster/proxy.ts'
import { upstreamReference } from '../../lab/images/image.ts'
import { namespace } from '../operator-process.ts'
import { refuse } from '../webhook.ts'
import type { L3Cluster } from './l3-cluster.ts'
import { keysOf, made, nothingLeft } from './nothing-left.ts'

export function l3Ingress(started: () => L3Cluster): void {
  let cluster: L3Cluster
  let bed: L3Cluster['bed']
  beforeAll(() => {
    cluster = started()
    bed = cluster.bed
  })

  /** Everybody reaches the backend through the node, by each protocol and family. */
  async function reached(node: string, backend: string): Promise<void> {
    const to = await nodeAddresses(bed, node)
    for (const { family, protocol } of ways) {
      const once = () => ask(bed.host('client'), { to: to[family], protocol, patience: 5000 }).catch(String)
      await expect.poll(once).toMatchObject({ host: backend })
    }
  }

  test('an annotated Service is reachable from the tailnet by both families, and the Pod needs few privileges', async () => {
    await cluster.annotate('backend', { 'tailscale.com/expose': 'true', 'tailscale.com/hostname': 'app' })
    await expect.poll(() => cluster.ready('backend')).toBe('True')
    await reached('app', 'backend')
    expect(await bed.control.node('app')).toMatchObject({ tags: ['tag:k8s'] })
    const set = (await made(bed)).find((name) => name.startsWith('statefulset'))!.split('/')[1]!
    // The key is used, and gone from the config.
    const config = async () => {
      const secret = await bed.cluster.get<{ data: Record<string, string> }>('secret', `${set}-0`, namespace)
      return Buffer.from(secret?.data['cap-107.hujson'] ?? '', 'base64').toString()
    }
    await expect.poll(config).not.toContain('AuthKey')
    expect(await keysOf(bed)).toMatchObject([{ description: 'Service default backend', uses: 1, reusable: false }])
  })

  test('a Service that changes keeps its node: another hostname, and as a LoadBalancer', async () => {
    const { stableId } = await bed.control.node('app')
    await cluster.annotate('backend', { 'tailscale.com/hostname': 'renamed' })
    await expect.poll(async () => (await bed.control.nodes()).map(({ name }) => name)).toContain('renamed')
    expect((await bed.control.node('renamed')).stableId).toBe(stableId)
    await reached('renamed', 'backend')
    await cluster.annotate(
      'backend',
      { 'tailscale.com/expose': null },
      { type: 'LoadBalancer', loadBalancerClass: 'tailscale' },
    )
    const { v4, v6 } = await nodeAddresses(bed, 'renamed')
    await expect
      .poll(async () => (await cluster.service('backend')).status.loadBalancer?.ingress)
      .toMatchObject([{ hostname: 'renamed.lab.ts.net' }, { ip: v4 }, { ip: v6 }])
    expect((await bed.control.node('renamed')).stableId).toBe(stableId)
  })

  test('without privileges, the same node serves the same ports', async () => {
    const { stableId } = await bed.control.node('renamed')
    await cluster.annotate('backend', { 'culvert/unprivileged': 'true' })
    const modes = async (): Promise<readonly unknown[]> => {
      const pods = await bed.cluster.list<{ spec: { securityContext: { runAsNonRoot?: boolean } } }>('pods', namespace)
      return pods.map(({ spec }) => spec.securityContext.runAsNonRoot)
    }
    await expect.poll(modes).toEqual([true])
    await expect.poll(() => cluster.ready('backend')).toBe('True')
    await reached('renamed', 'backend')
    expect((await bed.control.node('renamed')).stableId).toBe(stableId)
  })

  test('a headless Service is reached by the addresses of its Pods, at their ports', async () => {
    const headless = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: 'headless',
        namespace: 'default',
        annotations: { 'tailscale.com/expose': 'true', 'tailscale.com/hostname': 'headless' },
      },
      spec: {
        clusterIP: 'None',
        selector: { app: 'other' },
        ipFamilyPolicy: 'RequireDualStack',
        ports: [{ port: 7001, targetPort: 7000 }],
      },
    }
    await bed.cluster.apply(headless)
    await expect.poll(() => cluster.ready('headless')).toBe('True')
    const to = await nodeAddresses(bed, 'headless')
    for (const family of ['v4', 'v6'] as const) {
      const question = { to: to[family], port: 7001, protocol: 'tcp', patience: 5000 } as const
      await expect.poll(() => ask(bed.host('client'), question).catch(String)).toMatchObject({ host: 'other' })
    }
  })

  test('it is told that the node has no TUN device, until it has', async () => {
    const node = bed.cluster.node()
    await node.exec(['mount', '-t', 'tmpfs', 'none', '/dev/net'])
    try {
      await cluster.annotate('other', { 'tailscale.com/expose': 'true' })
      await expect.poll(() => cluster.ready('other')).toContain('Load the kernel module tun on that node')
    } finally {
      await node.exec(['umount', '/dev/net'])
    }
    // Kubelet tries again after minutes.
    const selector = '--selector=tailscale.com/parent-resource=other'
    await bed.cluster.kubectl(['delete', 'pods', `--namespace=${namespace}`, selector])
    await expect.poll(() => cluster.ready('other')).toBe('True')
    await cluster.annotate('other', { 'tailscale.com/expose': null })
    await expect.poll(async () => (await made(bed)).filter((one) => one.includes('/ts-other-'))).toEqual([])
  })

  test('it is told why Pods are refused, by a quota and by an admission webhook, until they are not', async () => {
    const metadata = { name: 'none', namespace }
    await bed.cluster.apply({ apiVersion: 'v1', kind: 'ResourceQuota', metadata, spec: { hard: { pods: '2' } } })
    // It counts once a controller has filled its status.
    const quota = async () => (await bed.cluster.get('resourcequota', 'none', namespace))?.['status']
    await expect.poll(quota).toMatchObject({ hard: { pods: '2' }, used: { pods: '2' } })
    {
      const labels = { 'tailscale.com/parent-resource': 'hooked' }
      const spec = { containers: [{ name: 'a', image: 'a' }] }
      const example = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'example', labels }, spec }
      const refused = { group: '', resource: 'pods', labels, message: 'every Pod needs an owner', example }
      await using _ = await refuse(bed, refused)
      await bed.cluster.apply(backendObjects('hooked')[0]!)
      for (const name of ['other', 'hooked']) await cluster.annotate(name, { 'tailscale.com/expose': 'true' })
      await expect.poll(() => cluster.ready('other')).toContain('exceeded quota: none')
      await expect.poll(() => cluster.ready('hooked')).toContain(`denied the request: ${refused.message}`)
    }
    await bed.cluster.kubectl(['delete', 'resourcequota', 'none', `--namespace=${namespace}`])
    for (const name of ['other', 'hooked']) await expect.poll(() => cluster.ready(name)).toBe('True')
    await bed.cluster.kubectl(['delete', 'service', 'hooked'])
  })

  test('a class with Tailscale’s agent has it forward, and says what that does not do', async () => {
    await cluster.addUpstreamClass('upstream')
    await cluster.annotate('other', { 'tailscale.com/proxy-class': 'upstream', 'culvert/proxy-protocol': '2' })
    await expect.poll(() => cluster.ready('other')).toContain('annotation culvert/proxy-protocol needs Culvert’s agent')
    await cluster.annotate('other', { 'culvert/proxy-protocol': null })
    const images = async () =>
      (await bed.cluster.list<{ spec: { containers: { image: string }[] } }>('pods', namespace)).map(
        ({ spec }) => spec.containers[0]!.image,
      )
    await expect.poll(images).toContain(upstreamReference)
    await expect.poll(() => cluster.ready('other')).toBe('True')
    const { v4 } = await nodeAddresses(bed, 'default-other')
    for (const protocol of ['tcp', 'udp'] as const) {
      const once = () => ask(bed.host('client'), { to: v4, protocol, patience: 5000 }).catch(String)
      await expect.poll(once).toMatchObject({ host: 'other' })
    }
  })

  test('nothing is left of a Service that is deleted, moved to a group, or not exposed any more', async () => {
    await bed.cluster.kubectl(['delete', 'service', 'headless'])
    await cluster.annotate('backend', { 'tailscale.com/proxy-group': 'group' })
    await cluster.annotate('other', { 'tailscale.com/expose': null })
    await nothingLeft(bed)
    // The group that it waits for does not exist.
    for (const [name, types] of [
      ['backend', ['TailscaleIngressSvcValid', 'TailscaleIngressSvcConfigured']],
      ['other', undefined],
    ] as const) {
      // Another controller tells those of a group.
      const told = async () => {
        const { metadata, status } = await cluster.service(name)
        return [metadata['finalizers'], status.loadBalancer, status.conditions?.map(({ type }) => type)]
      }
      await expect.poll(told).toEqual([undefined, {}, types])
    }
    expect(cluster.operator.errors).toEqual([])
  })
}
