import { beforeAll, expect, test } from 'vitest'
import { services } from '../../lab/cluster/addresses.ts'
import type { KubeObject } from '../../lab/cluster/kubectl.ts'
import { labelsOf } from '../../../operator/objects/parent.ts'
import { namespace } from '../operator-process.ts'
import type { L3Cluster } from './l3-cluster.ts'
import { made, nothingLeft } from './nothing-left.ts'

/** A template by which no Pod becomes ready, and one that is corrected. */
export function corrections(started: () => L3Cluster): void {
  let cluster: L3Cluster
  let bed: L3Cluster['bed']
  beforeAll(() => {
    cluster = started()
    bed = cluster.bed
  })

  const good = (attempt: string) => ({ labels: { attempt } })
  const nowhere = { nodeSelector: { 'example.com/rack': 'none' } }
  const setClass = (pod: object): Promise<void> =>
    bed.cluster.apply({
      apiVersion: 'tailscale.com/v1alpha1',
      kind: 'ProxyClass',
      metadata: { name: 'mended' },
      spec: { statefulSet: { pod } },
    })
  const usesClass = { 'tailscale.com/proxy-class': 'mended' }

  test('a corrected ProxyClass brings up a proxy that had never started', async () => {
    await setClass(nowhere)
    await cluster.annotate('other', { 'tailscale.com/expose': 'true', ...usesClass })
    await expect.poll(() => cluster.ready('other')).toContain('-0 is not scheduled')
    await setClass({ tailscaleContainer: { image: 'nowhere.invalid/agent:1' } })
    await expect.poll(() => cluster.ready('other')).toContain('nowhere.invalid/agent:1')
    await setClass(good('first'))
    await expect.poll(() => cluster.ready('other')).toBe('True')
    await cluster.annotate('other', { 'tailscale.com/expose': null, 'tailscale.com/proxy-class': null })
    await nothingLeft(bed)
  })

  test('so it does in a StatefulSet of Tailscale’s operator, and replicas that work are kept until those that do not are mended', async () => {
    await bed.cluster.kubectl(['delete', 'proxyclass', 'mended'])
    await bed.cluster.apply({
      apiVersion: 'tailscale.com/v1alpha1',
      kind: 'Connector',
      metadata: { name: 'mended' },
      spec: { proxyClass: 'mended', replicas: 2, subnetRouter: { advertiseRoutes: [services.v4] } },
    })
    type Connector = KubeObject & {
      readonly metadata: { readonly uid: string }
      readonly status?: { readonly conditions?: readonly { readonly message: string }[] }
    }
    const connector = async () => (await bed.cluster.get<Connector>('connector', 'mended'))!
    const standing = async () => (await connector()).status?.conditions?.[0]?.message
    await expect.poll(standing).toContain('ProxyClass "mended" does not exist')
    const app = (await connector()).metadata.uid
    const labels = labelsOf({ type: 'connector', namespace: '', name: 'mended' })
    const metadata = { name: 'ts-mended-x7k2p', namespace, labels }
    const container = { name: 'tailscale', image: 'nowhere.invalid/agent:1' }
    await bed.cluster.apply({
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata,
      spec: {
        replicas: 2,
        serviceName: metadata.name,
        selector: { matchLabels: { app } },
        template: { metadata: { labels: { ...labels, app } }, spec: { containers: [container] } },
      },
    })
    await expect.poll(() => made(bed, 'pods')).toEqual(['pod/ts-mended-x7k2p-0'])
    await setClass(good('first'))
    await expect.poll(standing).toBe('2 of 2 devices are up')
    const uid = async (name: string) => (await bed.cluster.get('pod', name, namespace))?.metadata['uid']
    const first = await uid('ts-mended-x7k2p-0')
    await setClass(nowhere)
    await expect.poll(standing).toContain('ts-mended-x7k2p-1 is not scheduled')
    expect(await uid('ts-mended-x7k2p-0')).toBe(first)
    await setClass(good('second'))
    await expect.poll(standing).toBe('2 of 2 devices are up')
    const replaced = (await bed.cluster.events()).flatMap(
      ({ what }) => /^ProxyPodReplaced: Pod (\S+)/.exec(what)?.[1] ?? [],
    )
    expect(replaced).toEqual(['ts-mended-x7k2p-0', 'ts-mended-x7k2p-1'])
    await bed.cluster.kubectl(['delete', 'connector/mended', 'proxyclass/mended', '--timeout=600s'])
    await nothingLeft(bed)
  })
}
