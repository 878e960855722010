import type { KubeObject } from '../../kube/controller/object.ts'
import { heldIn } from '../../operator/proxy/auth-key.ts'
import type { Bed } from '../lab/bed.ts'
import { namespace } from './operator-process.ts'

type Condition = { readonly type: string; readonly status: string; readonly reason: string; readonly message: string }
export type Asked = KubeObject & { readonly status?: { readonly conditions?: readonly Condition[] } }
type Child = KubeObject & { readonly data?: Readonly<Record<string, string>> }

/** The condition that tells whether an exposed Service has its proxy. */
export const readyIn = ({ status }: Asked): Condition | undefined =>
  status?.conditions?.find(({ type }) => type === 'TailscaleProxyReady')

/** For which Service something was made. */
export const parentIn = ({ metadata: { labels } }: KubeObject): string =>
  labels?.['tailscale.com/parent-resource'] ?? ''

/** What the operator has made. */
export const managed = { selector: 'tailscale.com/managed=true' } as const
const childrenIn = ({ cluster }: Bed) => cluster.list<Child>('statefulsets,pods,secrets', namespace, managed)

/** The names of the Services that are ready, that objects were made for, and whose devices these are. */
export async function foundIn(bed: Bed): Promise<object> {
  const [asked, children, nodes] = await Promise.all([
    bed.cluster.list<Asked>('services', 'apps'),
    childrenIn(bed),
    bed.control.nodes(),
  ])
  const of = (kind: string) => children.filter((one) => one.kind === kind)
  const deviceIn = ({ data }: Child) => Buffer.from(data?.['device_id'] ?? '', 'base64').toString()
  const names = new Map(nodes.map(({ stableId, name }) => [stableId, name]))
  return {
    ready: asked.filter((one) => readyIn(one)?.status === 'True').map(({ metadata }) => metadata.name),
    ...Object.fromEntries(['StatefulSet', 'Pod', 'Secret'].map((kind) => [kind, of(kind).map(parentIn).toSorted()])),
    devices: of('Secret')
      .map((secret) => names.get(deviceIn(secret)) ?? '')
      .toSorted(),
    nodes: nodes.map(({ name }) => name).toSorted(),
    keys: of('Secret').filter((secret) => heldIn(secret) !== undefined).length,
  }
}

/** What `foundIn` gives when all is as these Services ask for; `others` are other nodes. */
export function wantedOf(exposed: readonly string[], others: readonly string[] = []): object {
  const wanted = exposed.toSorted()
  const all = ['ready', 'StatefulSet', 'Pod', 'Secret', 'devices'].map((what) => [what, wanted])
  return { ...Object.fromEntries(all), nodes: [...wanted, ...others].toSorted(), keys: 0 }
}

/** Of each object that was made for a Service its UID, and the device in it. */
export async function identitiesIn(bed: Bed): Promise<ReadonlyMap<string, readonly unknown[]>> {
  const children = await childrenIn(bed)
  return new Map(children.map((one) => [`${one.kind} ${parentIn(one)}`, [one.metadata.uid, one.data?.['device_id']]]))
}
