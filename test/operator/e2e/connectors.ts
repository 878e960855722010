import { beforeAll, expect, test } from 'vitest'
import { ask } from '../../lab/bed.ts'
import { services } from '../../lab/cluster/addresses.ts'
import type { KubeObject } from '../../lab/cluster/kubectl.ts'
import { namespace } from '../operator-process.ts'
import type { L3Cluster } from './l3-cluster.ts'
import { made, nodesOf, nothingLeft } from './nothing-left.ts'

/** `isLong`: also with fewer replicas, which is shown elsewhere with agents that are played. */
export function connectors(started: () => L3Cluster, isLong = false): void {
  let cluster: L3Cluster
  let bed: L3Cluster['bed']
  let site = { v4: '203.0.113.9', v6: '' }
  beforeAll(async () => {
    cluster = started()
    bed = cluster.bed
    await bed.cluster.wait('pod/backend', 'Ready')
    // Private IPv4 addresses are out of an exit node's reach.
    await bed.host('site').exec(['ip', 'address', 'add', `${site.v4}/32`, 'dev', 'lo'])
    await bed.cluster.node().exec(['ip', 'route', 'add', site.v4, 'via', bed.host('site').address.v4!])
    site = { ...site, v6: bed.host('site').address.v6! }
  })

  type Connector = KubeObject & {
    readonly status?: {
      readonly conditions?: readonly { readonly reason: string; readonly message: string }[]
      readonly devices?: readonly { readonly hostname: string; readonly tailnetIPs: readonly string[] }[]
    }
  }
  const subnetRouter = { advertiseRoutes: [services.v4, services.v6] }
  const spec = { hostnamePrefix: 'office', tags: ['tag:k8s'], subnetRouter }
  const set = (more: object = {}): Promise<void> =>
    bed.cluster.apply({
      apiVersion: 'tailscale.com/v1alpha1',
      kind: 'Connector',
      metadata: { name: 'office' },
      spec: { ...spec, ...more },
    })
  const connector = () => bed.cluster.get<Connector>('connector', 'office')
  const standing = async (): Promise<string | undefined> => (await connector())?.status?.conditions?.[0]?.message
  const names = () => nodesOf(bed)

  /** The UID of the Pod with this ordinal. */
  const uidOf = async (ordinal: string): Promise<unknown> => {
    const pods = await bed.cluster.list('pods', namespace)
    return pods.find(({ metadata }) => metadata.name?.endsWith(`-${ordinal}`) === true)?.metadata['uid']
  }

  /** What belongs to the Connector, without generated names. */
  const withoutNames = async (kinds: string): Promise<string[]> =>
    (await made(bed, kinds)).map((line) => line.replace(/\/.*-/, '/'))

  test('the tailnet reaches the cluster through a subnet router', async () => {
    await set()
    await expect.poll(standing).toBe('1 of 1 device is up')
    const offered = async () => (await bed.control.node('office-0')).advertisedRoutes
    await expect.poll(offered).toEqual(expect.arrayContaining([services.v4, services.v6]))
    const node = await bed.control.node('office-0')
    expect(node.tags).toEqual(['tag:k8s'])
    expect((await connector())?.status).toMatchObject({
      subnetRoutes: `${services.v4},${services.v6}`,
      isExitNode: false,
      devices: [{ hostname: 'office-0.lab.ts.net', tailnetIPs: node.addresses }],
    })
    await cluster.approve('office-0')
    await cluster.reachedByRoute()
  })

  test('through an exit node the tailnet reaches everything else', async () => {
    await set({ exitNode: true })
    const offered = async () => (await bed.control.node('office-0')).advertisedRoutes
    await expect.poll(offered).toContain('0.0.0.0/0')
    await cluster.approve('office-0')
    const client = bed.host('client')
    const use = (node: string) => client.exec(['tailscale', 'set', `--exit-node=${node}`])
    await expect.poll(() => use('office-0').then(() => 'used', String)).toBe('used')
    const asked = (to: string, patience: number) =>
      ask(client, { to, protocol: 'tcp', patience }).then(
        ({ host }) => host,
        () => 'nobody',
      )
    for (const to of Object.values(site)) await expect.poll(() => asked(to, 5000)).toBe('site')
    await use('')
    await expect.poll(() => asked(site.v4, 1000)).toBe('nobody')
    await set()
  })

  test('what it offers changes without a new node', async () => {
    const { stableId } = await bed.control.node('office-0')
    const offered = async () => (await bed.control.node('office-0')).advertisedRoutes.toSorted()
    const all = [services.v4, services.v6, '0.0.0.0/0', '::/0'].toSorted()
    await set({ exitNode: true })
    await expect.poll(offered).toEqual(all)
    await set({ subnetRouter: undefined, appConnector: {} })
    await expect.poll(offered).toEqual([])
    const isAppConnector = async () => (await bed.control.node('office-0')).hostinfo['AppConnector']
    await expect.poll(isAppConnector).toBe(true)
    await set()
    await expect.poll(offered).toEqual([services.v4, services.v6].toSorted())
    await expect.poll(isAppConnector).not.toBe(true)
    expect((await bed.control.node('office-0')).stableId).toBe(stableId)
  })

  test('of two replicas each has a name of its own, and one takes over from the other', async () => {
    const first = (await bed.control.node('office-0')).stableId
    const pod = await uidOf('0')
    await set({ replicas: 2 })
    await expect.poll(standing).toBe('2 of 2 devices are up')
    expect(await names()).toEqual(['office-0', 'office-1'])
    expect((await bed.control.node('office-0')).stableId).toBe(first)
    expect(await uidOf('0')).toBe(pod)
    for (const name of ['office-0', 'office-1']) await cluster.approve(name)
    await cluster.reachedByRoute()
    // The tailnet chooses one of the two.
    const primary = async () =>
      (await bed.control.nodes())
        .filter(({ name, primaryRoutes }) => name.startsWith('office-') && primaryRoutes.length > 0)
        .map(({ name }) => name)
    const [chosen = ''] = await primary()
    const all = await bed.cluster.list<KubeObject & { metadata: { name: string } }>('pods', namespace)
    const name = all.map(({ metadata }) => metadata.name).find((one) => one.endsWith(chosen.slice(-2)))!
    await bed.cluster.kubectl(['delete', 'pod', name, `--namespace=${namespace}`, '--wait=false'])
    await expect.poll(primary).not.toEqual([chosen])
    await cluster.reachedByRoute()
    await expect.poll(standing).toBe('2 of 2 devices are up')
  })

  if (isLong) {
    test('with fewer replicas the last one goes: first its Pod, then its node and its Secret', async () => {
      const first = (await bed.control.node('office-0')).stableId
      await set({ replicas: 1 })
      await expect.poll(names).toEqual(['office-0'])
      expect((await withoutNames('pod')).filter((name) => name.endsWith('1'))).toEqual([])
      await expect.poll(() => withoutNames('secret')).toEqual(['secret/0'])
      await expect.poll(standing).toBe('1 of 1 device is up')
      expect((await bed.control.node('office-0')).stableId).toBe(first)
      await cluster.reachedByRoute()
    })

    test('without replicas there are no nodes', async () => {
      await set({ replicas: 0 })
      await expect.poll(names).toEqual([])
      await expect.poll(standing).toBe('No devices are wanted.')
      // The last Secret goes after its node, and the status follows.
      await expect.poll(() => made(bed, 'pod,secret')).toEqual([])
      await expect.poll(async () => (await connector())?.status?.devices).toBeUndefined()
      await set({ replicas: 1 })
      await expect.poll(standing).toBe('1 of 1 device is up')
      await cluster.approve('office-0')
      await cluster.reachedByRoute()
    })
  }

  test('nothing is left of it when it is deleted', async () => {
    await bed.cluster.kubectl(['delete', 'connector/office', '--timeout=600s'])
    await nothingLeft(bed)
    expect(cluster.operator.errors).toEqual([])
  })
}
