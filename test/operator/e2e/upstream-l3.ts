import { beforeAll, expect, test } from 'vitest'
import { services } from '../../lab/cluster/addresses.ts'
import { backendObjects } from '../../lab/cluster/proxy.ts'
import { upstreamReference } from '../../lab/images/image.ts'
import { namespace } from '../operator-process.ts'
import { ByName } from './by-name.ts'
import type { L3Cluster } from './l3-cluster.ts'
import { nothingLeft } from './nothing-left.ts'

export function upstreamL3(started: () => L3Cluster): void {
  let cluster: L3Cluster
  let bed: L3Cluster['bed']
  beforeAll(async () => {
    cluster = started()
    bed = cluster.bed
    await cluster.addUpstreamClass('upstream')
  })

  type Pod = { readonly spec: { readonly containers: readonly { readonly image: string }[] } }
  const images = async () =>
    (await bed.cluster.list<Pod>('pods', namespace)).map(({ spec }) => spec.containers[0]?.image)

  test('Tailscale’s agent leads Pods of every namespace to a node of the tailnet, and to another one', async () => {
    const target = (fqdn: string) => ({ 'tailscale.com/tailnet-fqdn': fqdn, 'tailscale.com/proxy-class': 'upstream' })
    await bed.cluster.apply(backendObjects('theirs')[0]!)
    await cluster.annotate('theirs', target('warehouse.lab.ts.net'))
    await expect.poll(() => cluster.ready('theirs')).toBe('True')
    expect(await images()).toEqual([upstreamReference])
    const pods = await ByName.of(bed, 'theirs')
    await pods.reached('warehouse')
    await cluster.annotate('theirs', target('depot.lab.ts.net'))
    await pods.reached('depot')
    await bed.cluster.kubectl(['delete', 'service', 'theirs'])
    await nothingLeft(bed)
  })

  test('Tailscale’s agent is a subnet router, and ceases to be one', async () => {
    const set = (advertiseRoutes: readonly string[]): Promise<void> =>
      bed.cluster.apply({
        apiVersion: 'tailscale.com/v1alpha1',
        kind: 'Connector',
        metadata: { name: 'theirs' },
        spec: { hostname: 'theirs', proxyClass: 'upstream', subnetRouter: { advertiseRoutes } },
      })
    const offered = async () => (await bed.control.node('theirs')).advertisedRoutes.toSorted()
    const both = [services.v4, services.v6]
    await set(both)
    type Status = { status?: { conditions?: readonly { message: string }[] } }
    const standing = async () =>
      (await bed.cluster.get<Status>('connector', 'theirs'))?.status?.conditions?.[0]?.message
    await expect.poll(standing).toBe('1 of 1 device is up')
    expect(await images()).toEqual([upstreamReference])
    await expect.poll(offered).toEqual(both.toSorted())
    await cluster.approve('theirs')
    await cluster.reachedByRoute()
    await set([services.v4])
    await expect.poll(offered).toEqual([services.v4])
    await bed.cluster.kubectl(['delete', 'connector/theirs', '--timeout=600s'])
    await nothingLeft(bed)
    expect(cluster.operator.errors).toEqual([])
  })
}
