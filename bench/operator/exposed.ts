import { setTimeout as delay } from 'node:timers/promises'
import type { KubeObject } from '../../kube/controller/object.ts'
import { limited } from '../../lib/limit.ts'
import { services } from '../../operator/objects/resources.ts'
import { type ApiBed, never } from '../../test/kube/controller/api-bed.ts'
import type { Bed } from '../../test/lab/bed.ts'

/** The namespace of the Services. */
export const apps = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'apps' } }

/** Half of them are L3 ingress, half L3 egress to an address of the tailnet. */
const serviceOf = (number: number, target: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name: `service-${number}`,
    namespace: apps.metadata.name,
    annotations: number % 2 === 0 ? { 'tailscale.com/expose': 'true' } : { 'tailscale.com/tailnet-ip': target },
  },
  spec: { selector: { app: 'a' }, ports: [{ port: 80 }] },
})

/** Has Services ask for proxies, and gives the seconds until all are ready. `target`: of those that are egress. */
export async function untilReady(
  bed: Bed,
  { direct }: ApiBed,
  count: number,
  target = '100.64.99.99',
): Promise<number> {
  const some = limited(20)
  const begun = performance.now()
  const wanted = Array.from({ length: count }, (_, number) => serviceOf(number, target))
  await Promise.all(wanted.map((one) => some(() => direct.create(services, one, never))))
  while ((await readyCount(bed)) < count) await delay(250)
  return (performance.now() - begun) / 1000
}

/** Removes all of them, and returns when they are gone. */
export async function noServices({ cluster }: Bed): Promise<void> {
  await cluster.kubectl(['delete', 'services', '--all', `--namespace=${apps.metadata.name}`, '--wait=false'])
  while ((await cluster.list('services', apps.metadata.name)).length > 0) await delay(250)
}

async function readyCount({ cluster }: Bed): Promise<number> {
  const path = '{.items[*].status.conditions[?(@.type=="TailscaleProxyReady")].status}'
  const where = `--namespace=${apps.metadata.name}`
  const { stdout } = await cluster.kubectl(['get', 'services', where, `--output=jsonpath=${path}`])
  return stdout.split(' ').filter((status) => status === 'True').length
}
