import * as z from 'zod/mini'
import type { KubeObject } from '../../kube/controller/object.ts'
import { parseJson } from '../../lib/json.ts'
import { notes } from '../objects/names.ts'
import type { OperatorSettings } from '../settings/settings.ts'

/** The fields that the rewriting removes or changes, or that the API drops with it. */
const fields = [
  'type',
  'selector',
  'externalName',
  'loadBalancerClass',
  'loadBalancerSourceRanges',
  'allocateLoadBalancerNodePorts',
  'externalTrafficPolicy',
  'internalTrafficPolicy',
  'ipFamilies',
  'ipFamilyPolicy',
] as const

type Spec = Readonly<Record<string, unknown>>
type Patch = Readonly<Record<string, unknown>>
type Place = Pick<OperatorSettings, 'namespace' | 'clusterDomain'>

const json = z.record(z.string(), z.unknown())
/** Anything that is no JSON object counts as an empty one. */
const fieldsOf = (value: unknown): Spec => z.safeParse(json, value).data ?? {}
const specOf = (service: KubeObject): Spec => fieldsOf(service['spec'])

/** Where the headless Service of proxies is found, from every namespace. */
const nameOfProxies = (headless: string, { namespace, clusterDomain }: Place): string =>
  `${headless}.${namespace}.svc.${clusterDomain}`

/** Whether a Service has the name of proxies, also of those of an earlier operator. */
function namesProxies({ externalName }: Spec, place: Place): boolean {
  return (
    typeof externalName === 'string' &&
    externalName.startsWith('ts-') &&
    externalName.endsWith(nameOfProxies('', place))
  )
}

const isRewritten = (spec: Spec, place: Place): boolean => spec['type'] === 'ExternalName' && namesProxies(spec, place)

/**
 * Makes a Service another name of the headless Service of its proxies, and notes what it was before. Nothing is known of
 * that when it has been rewritten by another operator.
 */
export function rewrite(service: KubeObject, headless: string, place: Place): Patch {
  const spec = specOf(service)
  const noted = service.metadata.annotations?.[notes.beforeEgress] ?? '{}'
  const before = isRewritten(spec, place) ? noted : JSON.stringify(notable(spec, place))
  return {
    metadata: { annotations: { [notes.beforeEgress]: before } },
    spec: {
      type: 'ExternalName',
      externalName: nameOfProxies(headless, place),
      selector: null,
      // The API drops what else an ExternalName cannot have, but refuses this.
      loadBalancerSourceRanges: null,
    },
  }
}

function notable(spec: Spec, place: Place): Spec {
  const kept = fields.flatMap((field) => (spec[field] === undefined ? [] : [[field, spec[field]] as const]))
  const { externalName, ...others } = Object.fromEntries(kept)
  return {
    ...others,
    ...(externalName !== undefined && !namesProxies(spec, place) && { externalName }),
    // Any other address is given back to the cluster, and may belong to another Service by then.
    ...(spec['clusterIP'] === 'None' && { clusterIP: 'None' }),
  }
}

/**
 * Makes a Service what it was before `rewrite`, or undefined if it was not rewritten. One that the user has changed
 * since then stays as it is, and so does one of which nothing is known.
 */
export function restore(service: KubeObject, place: Place): Patch | undefined {
  const noted = service.metadata.annotations?.[notes.beforeEgress]
  if (noted === undefined) return undefined
  const metadata = { annotations: { [notes.beforeEgress]: null } }
  const spec = specOf(service)
  // The API keeps the name when the user makes it a Service of another type.
  if (!isRewritten(spec, place)) return { metadata, ...(namesProxies(spec, place) && { spec: { externalName: null } }) }
  // Users may have changed the annotation: anything else than what was noted is ignored.
  const before = notable(fieldsOf(parseJson(noted)), place)
  return typeof before['type'] === 'string' ? { metadata, spec: { externalName: null, ...before } } : { metadata }
}
