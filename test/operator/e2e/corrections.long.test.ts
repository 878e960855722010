import { expect, test } from 'vitest'
import { labelsOf } from '../../../operator/objects/parent.ts'
import { services } from '../../lab/cluster/addresses.ts'
import type { KubeObject } from '../../lab/cluster/kubectl.ts'
import { namespace } from '../operator-process.ts'
import { good, nowhere, setClass } from './corrections.ts'
import { L3Cluster } from './l3-cluster.ts'
import { made, nothingLeft } from './nothing-left.ts'

test('a corrected ProxyClass brings up replicas of Tailscale’s operator, and keeps those that work until the others are mended', async () => {
  await using cluster = await L3Cluster.start()
  cluster.printLogsOnFailure()
  const { bed } = cluster
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
  await setClass(bed, good('first'))
  await expect.poll(standing).toBe('2 of 2 devices are up')
  const uid = async (name: string) => (await bed.cluster.get('pod', name, namespace))?.metadata['uid']
  const first = await uid('ts-mended-x7k2p-0')
  await setClass(bed, nowhere)
  await expect.poll(standing).toContain('ts-mended-x7k2p-1 is not scheduled')
  expect(await uid('ts-mended-x7k2p-0')).toBe(first)
  await setClass(bed, good('second'))
  await expect.poll(standing).toBe('2 of 2 devices are up')
  const replaced = (await bed.cluster.events()).flatMap(
    ({ what }) => /^ProxyPodReplaced: Pod (\S+)/.exec(what)?.[1] ?? [],
  )
  expect(replaced).toEqual(['ts-mended-x7k2p-0', 'ts-mended-x7k2p-1'])
  await bed.cluster.kubectl(['delete', 'connector/mended', 'proxyclass/mended', '--timeout=600s'])
  await nothingLeft(bed)
})
