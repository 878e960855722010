import { expect, test } from 'vitest'
import type { Api } from '../../../kube/controller/api.ts'
import type { KubeObject, Metadata } from '../../../kube/controller/object.ts'
import type { WatchEvent } from '../../../kube/controller/answers.ts'
import { systemClock } from '../../../lib/clock.ts'
import { compose } from '../../../operator/compose.ts'
import { labels } from '../../../operator/objects/names.ts'
import { labelsOf } from '../../../operator/objects/parent.ts'
import { ingresses, services, statefulSets } from '../../../operator/objects/resources.ts'
import { settings } from '../a-world.ts'
import { playedTailnet } from '../operate.ts'

/** An API whose objects the test sets, and which only notes what is to be deleted. */
function playedApi() {
  const objects = new Map<string, Map<string, KubeObject>>()
  const watches = new Map<string, (event: WatchEvent) => void>()
  const deleted: string[] = []
  let version = 0
  const change = (plural: string, type: 'set' | 'remove', object: KubeObject): void => {
    version += 1
    const changed = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } }
    const all = objects.get(plural) ?? new Map<string, KubeObject>()
    objects.set(plural, all)
    if (type === 'set') all.set(object.metadata.name, changed)
    else all.delete(object.metadata.name)
    watches.get(plural)?.({ type, object: changed, version: String(version) })
  }
  const api: Api = {
    page: async ({ plural }) => ({
      objects: [...(objects.get(plural)?.values() ?? [])],
      version: String(version),
      next: undefined,
    }),
    watch: async function* ({ plural }, _options, signal) {
      const { readable, writable } = new TransformStream<WatchEvent, WatchEvent>(undefined, undefined, {
        highWaterMark: 100,
      })
      const writer = writable.getWriter()
      watches.set(plural, (event) => void writer.write(event))
      signal.addEventListener('abort', () => void writer.close())
      yield { type: 'open' }
      yield* readable
    },
    get: async ({ plural }, { name }) => objects.get(plural)?.get(name),
    create: async (_resource, object) => object,
    patch: () => Promise.reject(new Error('nothing is to be written')),
    delete: async ({ plural }, { name }) => void deleted.push(`${plural}/${name}`),
  }
  return { api, change, deleted }
}

const name = `web-${'x'.repeat(70)}`
const group = { [labels.proxyGroup]: 'eg', [labels.serviceType]: 'egress' }
const service = (annotations: Readonly<Record<string, string>>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'apps', uid: 'u-parent', annotations },
  spec: { type: 'ClusterIP', clusterIPs: ['10.96.0.9'], selector: { app: 'a' }, ports: [{ port: 80 }] },
})
const exposed = service({ 'tailscale.com/expose': 'true' })
const inGroup = service({ 'tailscale.com/proxy-group': 'eg', 'tailscale.com/tailnet-ip': '100.64.0.9' })
const ingress: KubeObject = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name, namespace: 'apps', uid: 'u-parent' },
  spec: { ingressClassName: 'tailscale' },
}

test.each([
  ['svc', statefulSets, services, exposed, 'StatefulSet', 'apps/v1', {}],
  ['ingress', statefulSets, ingresses, ingress, 'StatefulSet', 'apps/v1', {}],
  ['svc', services, services, inGroup, 'Service', 'v1', group],
] as const)(
  'what a replica that stood by had to do for a %s with a long name removes nothing that was made since then (%#)',
  async (type, children, resource, parent, kind, apiVersion, more) => {
    const { api, change, deleted } = playedApi()
    const [elected, stop] = [Promise.withResolvers<void>(), new AbortController()]
    const parts = { api, tailnet: playedTailnet(), settings, log: () => {}, clock: systemClock }
    const { sources, caches } = compose({ ...parts, elected: elected.promise }, stop.signal)
    await Promise.all(sources().map(({ synced }) => synced))
    const made = (of: string, called: string): KubeObject => {
      const metadata: Metadata = {
        name: called,
        namespace: settings.namespace,
        uid: `u-${called}`,
        labels: { ...labelsOf({ type, namespace: 'apps', name: of }), ...more },
      }
      return { apiVersion, kind, metadata, spec: { replicas: 1, ports: [] } }
    }
    const seen = (): readonly string[] => [...caches.world.all(children)].map(({ metadata }) => metadata.name)
    // Its parent is gone already, and another one comes with its own.
    change(children.plural, 'set', made(name, 'former'))
    await expect.poll(seen).toEqual(['former'])
    change(children.plural, 'remove', made(name, 'former'))
    await expect.poll(seen).toEqual([])
    change(resource.plural, 'set', parent)
    change(children.plural, 'set', made(name, 'present'))
    // Nobody needs this.
    change(children.plural, 'set', made('gone', 'left'))
    elected.resolve()
    await expect.poll(() => deleted).toContain(`${children.plural}/left`)
    expect(deleted).not.toContain(`${children.plural}/present`)
    stop.abort()
  },
)
