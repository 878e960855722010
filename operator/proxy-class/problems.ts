import * as z from 'zod/mini'
import { UserError } from '../../kube/controller/controller.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { isJsonObject } from '../../lib/json.ts'
import { readAnnotations } from '../objects/annotations.ts'
import { customResourceDefinitions, proxyClasses } from '../objects/resources.ts'
import { containerName } from '../proxy/template.ts'
import { issueTexts } from '../schemas/issues.ts'
import { proxyClass, type ProxyClassSpec } from '../schemas/proxy-class.ts'
import { serviceMonitors } from '../world/followed.ts'
import type { World } from '../world/world.ts'
import { merge, mergeProblems } from './merge.ts'

/** What a class says, if it can be used. */
export type Examined = { readonly spec: ProxyClassSpec; readonly agent: 'culvert' | 'upstream' | undefined }

/** Reads a class. All of what is wrong with it is named, with where it is. */
export function examine(object: KubeObject, world: World): Examined | { readonly problems: readonly string[] } {
  const { data: spec, error } = z.safeParse(proxyClass.spec, object['spec'])
  if (error !== undefined) return { problems: issueTexts(error) }
  const annotated = readOrTell(object)
  const problems = [
    ...annotated.problems,
    ...labelProblems(spec),
    ...imageProblems(spec),
    ...(spec.statefulSet?.pod?.tailscaleInitContainer?.debug === undefined
      ? []
      : ['spec.statefulSet.pod.tailscaleInitContainer.debug: an init container has no debug endpoint']),
    ...mergeProblems(spec.statefulSet?.template, 'spec.statefulSet.template'),
    ...containerProblems(spec),
    ...monitorProblems(spec, world),
    ...portProblems(object, spec, world),
  ]
  return problems.length > 0 ? { problems } : { spec, agent: annotated.agent }
}

function readOrTell(object: KubeObject): { readonly problems: readonly string[]; readonly agent?: Examined['agent'] } {
  try {
    return { problems: [], agent: readAnnotations(object, 'ProxyClassInvalid').agent }
  } catch (error) {
    if (error instanceof UserError) return { problems: [error.message] }
    throw error
  }
}

const qualifiedName = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[a-zA-Z0-9]([-._a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$/

function labelProblems({ statefulSet, metrics }: ProxyClassSpec): string[] {
  const maps = {
    'spec.statefulSet.labels': statefulSet?.labels,
    'spec.statefulSet.annotations': statefulSet?.annotations,
    'spec.statefulSet.pod.labels': statefulSet?.pod?.labels,
    'spec.statefulSet.pod.annotations': statefulSet?.pod?.annotations,
    'spec.metrics.serviceMonitor.labels': metrics?.serviceMonitor?.labels,
  }
  return Object.entries(maps).flatMap(([path, map = {}]) =>
    Object.keys(map)
      .filter((name) => !qualifiedName.test(name))
      .map((name) => `${path}: "${name}" is no name that Kubernetes allows, such as example.com/team`),
  )
}

/** A reference to an image: registry with an optional port, path, optional tag and digest. */
const image =
  /^(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*(?::\d+)?\/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::[\w][\w.-]{0,127})?(?:@[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,})?$/i

function imageProblems({ statefulSet }: ProxyClassSpec): string[] {
  return (['tailscaleContainer', 'tailscaleInitContainer'] as const).flatMap((container) => {
    const text = statefulSet?.pod?.[container]?.image
    if (text === undefined || image.test(text)) return []
    return [`spec.statefulSet.pod.${container}.image: "${text}" is no reference to an image`]
  })
}

/** The template is tried: there are many ways to take the container away. */
function containerProblems({ statefulSet }: ProxyClassSpec): string[] {
  const proxy = { name: containerName, isProxy: true }
  const { spec } = merge({ spec: { containers: [proxy] } }, statefulSet?.template ?? {})
  const left = isJsonObject(spec) && Array.isArray(spec['containers']) ? spec['containers'].filter(isJsonObject) : []
  if (left.some(({ isProxy }) => isProxy)) return []
  return ['spec.statefulSet.template.spec.containers: the container tailscale cannot be removed']
}

function monitorProblems({ metrics }: ProxyClassSpec, world: World): string[] {
  if (metrics?.serviceMonitor?.enable !== true) return []
  if (world.get(customResourceDefinitions, serviceMonitors) !== undefined) return []
  return [
    `spec.metrics.serviceMonitor.enable: the cluster has no CustomResourceDefinition ${serviceMonitors}; install the Prometheus operator, or set this to false`,
  ]
}

type Range = { readonly from: number; readonly to: number }
const rangesOf = (spec: ProxyClassSpec): Range[] =>
  (spec.staticEndpoints?.nodePort?.ports ?? []).map(({ port, endPort = port }) => ({ from: port, to: endPort }))
const inWords = ({ from, to }: Range): string => (from === to ? `${from}` : `${from}-${to}`)
const overlap = (one: Range, other: Range): boolean => one.from <= other.to && other.from <= one.to

function portProblems(object: KubeObject, spec: ProxyClassSpec, world: World): string[] {
  const path = 'spec.staticEndpoints.nodePort.ports'
  const ranges = rangesOf(spec)
  const within = ranges.flatMap((range, index) => {
    if (range.to < range.from) return [`${path}: ${inWords(range)} ends before it begins`]
    const same = ranges.slice(0, index).find((other) => overlap(range, other))
    return same === undefined ? [] : [`${path}: ${inWords(same)} and ${inWords(range)} overlap`]
  })
  const taken = [...(ranges.length === 0 ? [] : world.all(proxyClasses))]
    .filter((other) => goesBefore(other, object))
    .flatMap((other) => {
      const clash = rangesOf(z.safeParse(proxyClass.spec, other['spec']).data ?? {}).find((range) =>
        ranges.some((one) => overlap(one, range)),
      )
      return clash === undefined ? [] : [`${path}: ProxyClass "${other.metadata.name}" has ${inWords(clash)} already`]
    })
  return [...within, ...taken]
}

/** Of two classes with the same ports, the one that could be used first has them; the older one if both could. */
function goesBefore(other: KubeObject, object: KubeObject): boolean {
  if (other.metadata.name === object.metadata.name || !isReady(other)) return false
  return !isReady(object) || ageOf(other) < ageOf(object)
}
const ageOf = ({ metadata }: KubeObject): string => `${String(metadata['creationTimestamp'])} ${metadata.name}`

const readySchema = z.object({
  conditions: z.array(z.object({ type: z.string(), status: z.string(), observedGeneration: z.optional(z.number()) })),
})
/** Whether its condition says so, about what it says now. */
const isReady = ({ metadata, status }: KubeObject): boolean =>
  z
    .safeParse(readySchema, status)
    .data?.conditions.some(
      (one) =>
        one.type === 'ProxyClassReady' && one.status === 'True' && one.observedGeneration === metadata.generation,
    ) === true
