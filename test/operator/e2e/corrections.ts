import { beforeAll, expect, test } from 'vitest'
import type { L3Cluster } from './l3-cluster.ts'
import { nothingLeft } from './nothing-left.ts'

/** Sets the Pod template of the ProxyClass `mended`. */
export const setClass = (bed: L3Cluster['bed'], pod: object): Promise<void> =>
  bed.cluster.apply({
    apiVersion: 'tailscale.com/v1alpha1',
    kind: 'ProxyClass',
    metadata: { name: 'mended' },
    spec: { statefulSet: { pod } },
  })

/** A template by which Pods become ready, and one by which they are not scheduled. */
export const good = (attempt: string) => ({ labels: { attempt } })
export const nowhere = { nodeSelector: { 'example.com/rack': 'none' } }

/** A template by which no Pod becomes ready, and one that is corrected. */
export function corrections(started: () => L3Cluster): void {
  let cluster: L3Cluster
  let bed: L3Cluster['bed']
  beforeAll(() => {
    cluster = started()
    bed = cluster.bed
  })

  test('a corrected ProxyClass brings up a proxy that had never started', async () => {
    await setClass(bed, nowhere)
    await cluster.annotate('other', { 'tailscale.com/expose': 'true', 'tailscale.com/proxy-class': 'mended' })
    await expect.poll(() => cluster.ready('other')).toContain('-0 is not scheduled')
    await setClass(bed, { tailscaleContainer: { image: 'nowhere.invalid/agent:1' } })
    await expect.poll(() => cluster.ready('other')).toContain('nowhere.invalid/agent:1')
    await setClass(bed, good('first'))
    await expect.poll(() => cluster.ready('other')).toBe('True')
    await cluster.annotate('other', { 'tailscale.com/expose': null, 'tailscale.com/proxy-class': null })
    await bed.cluster.kubectl(['delete', 'proxyclass', 'mended'])
    await nothingLeft(bed)
  })
}
