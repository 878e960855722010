import type { KubeObject } from '../../kube/controller/object.ts'
import type { Replica } from './played-group.ts'
import { type Joined, machineKeyFor, type Texts } from './played-state.ts'
import { unpack } from '../../wire/packed.ts'

export type Template = {
  readonly metadata?: { readonly labels?: Readonly<Record<string, string>> }
  readonly spec: object
}
export type StatefulSetSpec = {
  readonly replicas?: number
  readonly template: Template
  readonly volumeClaimTemplates?: readonly KubeObject[]
}

/** The spec of a Pod with a volume for each claim of its own. */
export const withClaims = (
  { spec }: Template,
  { volumeClaimTemplates = [] }: Omit<StatefulSetSpec, 'template'>,
  pod: string,
) => {
  const claims = volumeClaimTemplates.map(({ metadata: { name } }) => ({
    name,
    persistentVolumeClaim: { claimName: `${name}-${pod}` },
  }))
  return { ...spec, volumes: [...((spec as PodSpec).volumes ?? []), ...claims] }
}

export const encoded = (text: string): string => Buffer.from(text).toString('base64')
/** What a Secret or a ConfigMap has in Base64. */
export const textsOf = (object: KubeObject): Texts => {
  const encodedTexts = (object['data'] ?? object['binaryData'] ?? {}) as Record<string, string>
  const entries = Object.entries(encodedTexts).map(([key, text]) => [
    key,
    unpack(Buffer.from(text, 'base64')).toString(),
  ])
  return Object.fromEntries(entries) as Texts
}

export const ordinalOf = ({ metadata: { name } }: KubeObject): number => Number(/\d+$/.exec(name)?.[0])
export const ownerKey = ({ metadata: { namespace, name } }: KubeObject): string =>
  `${namespace}/${name.replace(/-\d+$/, '')}`

export type PodSpec = {
  readonly containers?: readonly {
    readonly command?: readonly string[]
    readonly env?: readonly { readonly name: string; readonly value?: string }[]
  }[]
  readonly volumes?: readonly { readonly configMap?: { readonly name?: string } }[]
  readonly readinessGates?: readonly { readonly conditionType: string }[]
}
/** Whether a Pod is that of a Recorder of Tailscale's operator. */
export const isUpstreamRecorder = ({ spec }: KubeObject): boolean =>
  (spec as PodSpec).containers?.some(({ command }) => command?.[0] === '/tsrecorder') === true

type PodStatus = { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }

/** Whether a condition of a Pod is True; undefined if it is not there. */
export const statusOf = (pod: KubeObject, wanted: string): boolean | undefined => {
  const found = ((pod['status'] ?? {}) as PodStatus).conditions?.find(({ type }) => type === wanted)
  return found && found.status === 'True'
}
export const isTrue = (pod: KubeObject, type: string): boolean => statusOf(pod, type) === true
export const readyOf = (pod: KubeObject): boolean => isTrue(pod, 'Ready')

/** Gives the addresses of each Pod by its UID. */
export function podAddresses(): (uid: string) => Replica['podIPs'] {
  const known = new Map<string, Replica['podIPs']>()
  return (uid) => {
    const number = known.size + 1
    const found = known.get(uid) ?? {
      v4: `10.88.${number >> 8}.${number & 255}`,
      v6: `fd00:88::${number.toString(16)}`,
    }
    known.set(uid, found)
    return found
  }
}

/** A node that no control server knows. */
export const madeUp =
  (count: number) =>
  async (hostname: string): Promise<Joined> => {
    const number = count + 1
    const address = `100.${64 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`
    const id = `n${number}CNTRL`
    return {
      id,
      machineKey: machineKeyFor(id),
      fqdn: `${hostname}.lab.ts.net`,
      addresses: [address, `fd7a:115c:a1e0::${number.toString(16)}`],
    }
  }

const templateAnnotation = 'culvert.test/template'

/** What tells from which template a Pod was made. */
export const madeFrom = (template: Template) => ({ [templateAnnotation]: JSON.stringify(template) })

/**
 * The Pod of an earlier template that a StatefulSet replaces next: the last one, once those after it are ready;
 * undefined: none now.
 */
export function nextToReplace(staying: readonly KubeObject[], template: Template): KubeObject | undefined {
  for (const pod of staying.toSorted((one, other) => ordinalOf(other) - ordinalOf(one))) {
    if (pod.metadata.annotations?.[templateAnnotation] !== JSON.stringify(template)) return pod
    if (!readyOf(pod)) return undefined
  }
  return undefined
}

/** The Pod that the controller of StatefulSets makes. */
export function podOf(set: KubeObject, ordinal: number): KubeObject {
  const { template, ...spec } = set['spec'] as StatefulSetSpec
  const { apiVersion, kind, metadata } = set
  const name = `${metadata.name}-${ordinal}`
  const owner = { apiVersion, kind, name: metadata.name, uid: metadata.uid!, controller: true }
  const labels = { ...template.metadata?.labels, 'apps.kubernetes.io/pod-index': String(ordinal) }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: metadata.namespace!,
      labels,
      annotations: madeFrom(template),
      ownerReferences: [owner],
    },
    spec: { ...withClaims(template, spec, name), hostname: name },
  }
}

/** Pods that a StatefulSet with so many replicas does not want, or that are of one before it. */
export const surplusOf = (own: readonly KubeObject[], set: KubeObject | undefined, wanted: number): KubeObject[] =>
  own.filter((pod) => {
    const { ownerReferences, deletionTimestamp } = pod.metadata
    const isOfThis = ownerReferences?.[0]?.uid === set?.metadata.uid
    return deletionTimestamp === undefined && (!isOfThis || ordinalOf(pod) >= wanted)
  })
