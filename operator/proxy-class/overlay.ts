import type { KubeObject } from '../../kube/controller/object.ts'
import { isJsonObject, type JsonObject } from '../../lib/json.ts'
import type { ProxyClassSpec } from '../schemas/proxy-class.ts'
import { merge } from './merge.ts'

type StatefulSetSpec = NonNullable<ProxyClassSpec['statefulSet']>
type PodSpec = NonNullable<StatefulSetSpec['pod']>
type ContainerSpec = NonNullable<PodSpec['tailscaleInitContainer']>

/**
 * What a class says of a StatefulSet, laid over a finished one. The fields of `pod` replace those of the operator, each
 * as a whole; `template` is merged after that. The operator's labels stay, since it finds its objects by them.
 */
export function overlay(statefulSet: KubeObject, { statefulSet: wanted }: ProxyClassSpec): KubeObject {
  if (wanted === undefined) return statefulSet
  const { metadata } = statefulSet
  const spec = objectOf(statefulSet['spec'])
  const template = objectOf(spec['template'])
  const withPod = wanted.pod === undefined ? template : overlayPod(template, wanted.pod)
  const merged = wanted.template === undefined ? withPod : merge(withPod, wanted.template)
  return {
    ...statefulSet,
    metadata: { ...metadata, ...addedTo(metadata, wanted) },
    spec: { ...spec, template: { ...merged, metadata: keepingLabels(objectOf(merged['metadata']), template) } },
  }
}

function overlayPod(template: JsonObject, pod: PodSpec): JsonObject {
  const { labels, annotations, tailscaleContainer, tailscaleInitContainer, priorityClassName, ...fields } = pod
  const { priorityClassName: _, ...spec } = objectOf(template['spec'])
  const metadata = objectOf(template['metadata'])
  return {
    ...template,
    metadata: { ...metadata, ...addedTo(metadata, { labels, annotations }) },
    spec: {
      ...spec,
      // As with Tailscale's operator, a class without a priority means none.
      ...defined({ ...fields, priorityClassName }),
      ...containers('containers', 'tailscale', tailscaleContainer, spec),
      ...containers('initContainers', 'sysctler', tailscaleInitContainer, spec),
    },
  }
}

/** A list of containers in which the one of that name is changed; nothing if there is no such list. */
function containers(list: string, name: string, wanted: ContainerSpec | undefined, spec: JsonObject): JsonObject {
  const present = spec[list]
  if (wanted === undefined || !Array.isArray(present)) return {}
  const changed = present.map((one: unknown) =>
    isJsonObject(one) && one['name'] === name ? overlayContainer(one, wanted) : one,
  )
  return { [list]: changed }
}

function overlayContainer(container: JsonObject, wanted: ContainerSpec): JsonObject {
  const { env = [], image, imagePullPolicy, resources, securityContext } = wanted
  // Of two variables with the same name the API would refuse the object.
  const own = Array.isArray(container['env']) ? container['env'].filter(isJsonObject) : []
  const kept = own.filter(({ name }) => !env.some((one) => one.name === name))
  const last = env.filter(({ name }, index) => env.findLastIndex((one) => one.name === name) === index)
  return {
    ...container,
    ...defined({ image, imagePullPolicy, securityContext }),
    // Claims have no effect with Tailscale's operator, either.
    ...(resources !== undefined && { resources: defined({ requests: resources.requests, limits: resources.limits }) }),
    ...(env.length > 0 && { env: [...kept, ...last] }),
  }
}

type Texts = Readonly<Record<string, string>>
type Added = { readonly labels?: Texts | undefined; readonly annotations?: Texts | undefined }

/** Labels and annotations beside those that are there, which go before. */
const addedTo = (metadata: JsonObject, { labels, annotations }: Added): JsonObject =>
  defined({
    labels: labels && { ...labels, ...objectOf(metadata['labels']) },
    annotations: annotations && { ...annotations, ...objectOf(metadata['annotations']) },
  })

/** The metadata of a template that may have lost or changed labels of the original. */
const keepingLabels = (metadata: JsonObject, original: JsonObject): JsonObject => {
  const labels = objectOf(objectOf(original['metadata'])['labels'])
  return { ...metadata, labels: { ...objectOf(metadata['labels']), ...labels } }
}

const objectOf = (value: unknown): JsonObject => (isJsonObject(value) ? value : {})
const defined = (fields: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
