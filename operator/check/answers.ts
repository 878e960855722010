import * as z from 'zod/mini'
import type { KubeObject } from '../../kube/controller/object.ts'
import { optional } from '../../lib/json.ts'
import { group, version } from '../objects/names.ts'
import type { Node, ServedKinds, Used } from './facts.ts'

// Only what is used is read. What an object does not say is left out; an answer that is another one is an Error.

const text = optional(z.string())
const texts = optional(z.array(z.string()))

const versionSchema = z.object({ gitVersion: z.string() })
export const readVersion = (answer: unknown): string => read(versionSchema, answer).gitVersion

const reviewSchema = z.object({ status: z.object({ allowed: z.boolean() }) })
export const isAllowed = (answer: unknown): boolean => read(reviewSchema, answer).status.allowed

const resourcesSchema = z.object({ resources: z.array(z.object({ name: z.string() })) })
export const readResources = (answer: unknown): ServedKinds['resources'] =>
  new Set(read(resourcesSchema, answer).resources.map(({ name }) => name))

const names = 'x-kubernetes-group-version-kind'
const kindSchema = z.object({
  [names]: z.array(z.object({ group: z.string(), version: z.string(), kind: z.string() })),
})
const openApiSchema = z.object({
  components: z.object({ schemas: z.record(z.string(), z.record(z.string(), z.unknown())) }),
})
/** The schemas in the API server's OpenAPI document of our group. */
export function readSchemas(answer: unknown): ServedKinds['schemas'] {
  const all = Object.values(read(openApiSchema, answer).components.schemas)
  return new Map(
    all.flatMap((schema) => {
      const called = z.safeParse(kindSchema, schema).data?.[names] ?? []
      const ours = called.find((one) => one.group === group && one.version === version)
      return ours === undefined ? [] : [[ours.kind, schema] as const]
    }),
  )
}

const nodeSchema = z.object({
  spec: optional(z.object({ podCIDR: text, podCIDRs: texts })),
  status: optional(
    z.object({
      addresses: optional(z.array(z.object({ address: z.string() }))),
      nodeInfo: optional(z.object({ operatingSystem: text, architecture: text, kernelVersion: text })),
    }),
  ),
})
export function readNode(object: KubeObject): Node {
  const { spec, status } = z.safeParse(nodeSchema, object).data ?? {}
  const { operatingSystem, architecture, kernelVersion } = status?.nodeInfo ?? {}
  const { name } = object.metadata
  const networks = spec?.podCIDRs ?? [spec?.podCIDR].filter((one) => one != null)
  return {
    name,
    os: operatingSystem ?? '',
    architecture: architecture ?? '',
    kernel: kernelVersion ?? '',
    used: [
      ...(status?.addresses ?? []).map(({ address }) => ({ by: `Node ${name}`, text: address })),
      ...networks.map((network) => ({ by: `podCIDR of Node ${name}`, text: network })),
    ],
  }
}

const serviceSchema = z.object({ spec: z.object({ clusterIP: text, clusterIPs: texts }) })
export function usedByService(object: KubeObject): readonly Used[] {
  const { clusterIP, clusterIPs } = z.safeParse(serviceSchema, object).data?.spec ?? {}
  const by = `Service ${object.metadata.namespace ?? ''}/${object.metadata.name}`
  return (clusterIPs ?? [clusterIP ?? 'None']).filter((one) => one !== 'None').map((one) => ({ by, text: one }))
}

const sliceSchema = z.object({
  endpoints: optional(
    z.array(z.object({ addresses: texts, targetRef: optional(z.object({ kind: text, name: text })) })),
  ),
})
/** The addresses of Pods in an EndpointSlice: those of all Pods may not be read. */
export function usedByPods(object: KubeObject): readonly Used[] {
  const { endpoints } = z.safeParse(sliceSchema, object).data ?? {}
  return (endpoints ?? []).flatMap(({ addresses, targetRef }) => {
    if (targetRef?.kind !== 'Pod') return []
    const by = `Pod ${object.metadata.namespace ?? ''}/${targetRef.name ?? ''}`
    return (addresses ?? []).map((one) => ({ by, text: one }))
  })
}

function read<T extends z.ZodMiniType>(schema: T, answer: unknown): z.output<T> {
  const parsed = z.safeParse(schema, answer)
  if (!parsed.success) throw new Error(`the answer is another one: ${z.prettifyError(parsed.error)}`)
  return parsed.data
}
