import { applier } from '../../../kube/controller/apply.ts'
import { controller, trigger, UserError } from '../../../kube/controller/controller.ts'
import { eventWriter } from '../../../kube/controller/events.ts'
import { finalize } from '../../../kube/controller/finalize.ts'
import { byLabel, byOwner } from '../../../kube/controller/indexes.ts'
import { trimFor } from '../../../kube/controller/managed.ts'
import { keyOf, type KubeObject, nameOf } from '../../../kube/controller/object.ts'
import { reflect } from '../../../kube/controller/reflect.ts'
import type { Resource } from '../../../kube/controller/resource.ts'
import { store } from '../../../kube/controller/store.ts'
import { configMap } from './an-object.ts'
import type { ApiBed } from './api-bed.ts'
import { configMaps, deployments, secrets, services } from './resources.ts'

const manager = 'culvert-test'
const finalizer = 'culvert.test/finalizer'
export const childOf = 'culvert.test/parent'

/** A parent, whose data says what its children are to be. */
export const parent = (namespace: string, name: string, data: Readonly<Record<string, string>> = {}): KubeObject =>
  configMap(name, '', { namespace, labels: { role: 'parent' } }, data)

/** What a parent has: a Secret, a Deployment, and a Service unless its data has `service: none`. */
function planFor({ metadata, data = {} }: KubeObject): KubeObject[] {
  const { value = 'none', service, image = 'image' } = data as Readonly<Record<string, string>>
  const labels = { [childOf]: metadata.name }
  const { apiVersion, kind, name, namespace, uid } = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    ...metadata,
    uid: metadata.uid!,
  }
  const child = { name: `${name}-child`, namespace, labels, ownerReferences: [{ apiVersion, kind, name, uid }] }
  const template = {
    metadata: { labels },
    // The API writes 0.5 as 500m, and adds a dozen defaults.
    spec: {
      containers: [
        {
          name: 'main',
          image,
          resources: { requests: { cpu: '0.5' } },
          volumeMounts: [{ name: 'v', mountPath: '/v' }],
        },
      ],
      volumes: [{ name: 'v', emptyDir: {} }],
    },
  }
  return [
    { apiVersion: 'v1', kind: 'Secret', metadata: child, data: { value: Buffer.from(value).toString('base64') } },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: child,
      spec: { replicas: 1, selector: { matchLabels: labels }, template },
    },
    ...(service === 'none'
      ? []
      : [
          {
            apiVersion: 'v1',
            kind: 'Service',
            metadata: child,
            spec: {
              selector: labels,
              ports: [{ port: 80 }, { port: 53, protocol: 'UDP', name: 'dns' }].map((one) => ({
                name: 'http',
                ...one,
              })),
            },
          },
        ]),
  ] as KubeObject[]
}

/** A small operator for the parents of a namespace, which uses all parts of the core. */
export async function operate(real: ApiBed, namespace: string) {
  const stop = new AbortController()
  const problems: string[] = []
  const problem = (text: string | undefined): void => void problems.push(text ?? 'well')
  const waits = { retry: 20, longest: 200, settled: 50 }
  const watched = (resource: Resource, labels: string) => {
    const kept = store({
      indexes: { child: byLabel(childOf), owner: byOwner },
      failed: (error) => problem(String(error)),
    })
    const source = reflect(
      real.api,
      { resource, scope: { namespace, labels }, store: kept, trim: trimFor(manager), waits, problem },
      stop.signal,
    )
    return { resource, store: kept, source }
  }
  const parents = watched(configMaps, 'role=parent')
  const kinds = [secrets, deployments, services].map((resource) => watched(resource, childOf))
  const { apply, prune } = applier(real.api, manager, [parents, ...kinds])
  const tell = eventWriter(real.api, { component: manager, problem }, stop.signal)
  const children = (name: string): KubeObject[] => kinds.flatMap((kind) => kind.store.by('child', name))
  const sources = [parents, ...kinds].map(({ source }) => source)
  const runs = controller({
    name: 'parent',
    sources,
    triggers: [
      trigger(parents.store, ({ key }) => [key]),
      ...kinds.map((kind) =>
        trigger(kind.store, ({ before, after }) => [
          keyOf({ namespace, name: (after ?? before)!.metadata.labels?.[childOf] ?? '' }),
        ]),
      ),
    ],
    reconcile: async (key, flight) => {
      const object = parents.store.get(key)
      if (object === undefined) return
      await finalize(
        real.api,
        object,
        {
          resource: configMaps,
          store: parents.store,
          finalizer,
          manager,
          apply: async (present) => {
            const plan = planFor(present)
            if ((present['data'] as Record<string, string> | undefined)?.['value'] === 'impossible')
              throw new UserError('Impossible', 'the value is impossible', 'Choose another one.')
            for (const child of plan)
              await apply(child, flight, { owns: (one) => one.metadata.labels?.[childOf] === present.metadata.name })
            await prune(children(present.metadata.name), plan, flight)
          },
          cleanup: async ({ metadata }) => {
            await prune(children(metadata.name), [], flight)
            return children(metadata.name).length === 0
          },
        },
        flight,
      )
    },
    refuse: async (key, error, flight) => {
      const object = parents.store.get(key)
      if (object === undefined) return
      const { name } = nameOf(key)
      await apply(
        {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name, namespace, annotations: { condition: error.reason } },
        },
        flight,
      )
      await tell(object, { type: 'Warning', reason: error.reason, message: error.message })
    },
    problem: (key, text) => void problems.push(`${key}: ${text ?? 'well'}`),
    pauses: { first: 50, longest: 500 },
  })
  await Promise.all(sources.map(({ synced }) => synced))
  return { runs, sources, problems, [Symbol.asyncDispose]: async () => (await runs.drain(5000), stop.abort()) }
}
