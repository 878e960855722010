import type { Event } from '../../kube/controller/events.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { nearest } from '../../lib/nearest.ts'
import { quote } from '../../lib/quote.ts'
import { listed } from '../../lib/some.ts'
import { type Annotation, annotations, isParent } from './annotations.ts'
import { notes } from './names.ts'

type Key = keyof typeof annotations

/** What an object is used for, in which some annotations of its kind have no effect. */
export type Use = { readonly ignores: readonly Key[]; /** Continues “since”. */ readonly since: string }

/** A Service that the tailnet reaches. */
export const exposedUse: Use = {
  ignores: ['tailnetIp', 'oldTailnetIp', 'tailnetFqdn', 'allowFrom'],
  since: 'the Service is exposed to the tailnet, and leads to no target there: use another Service for that',
}
const led = 'the Service leads to a target in the tailnet: to expose something, use another Service'
export const egressUse: Use = { ignores: ['expose', 'proxyProtocol'], since: led }
export const groupEgressUse: Use = {
  ignores: ['expose', 'hostname', 'tags', 'proxyClass', 'unprivileged', 'proxyProtocol'],
  since: `a ProxyGroup serves it, and ${led}`,
}

/** An object may have thousands, and comparing each with all that are known takes long. */
const mostEvents = 10
/** How many letters of a name may differ: names that begin as ours do are ours, others may be somebody else's. */
const mostLetters = { 'culvert/': 4, 'tailscale.com/': 3 } as const

/** What does what these would do, on Ingresses. */
const instead: ReadonlyMap<string, string> = new Map([
  [annotations.expose.name, 'An Ingress is exposed by spec.ingressClassName.'],
  [annotations.hostname.name, 'The name of an Ingress is the first host in spec.tls.'],
])

const all: readonly Annotation<unknown>[] = Object.values(annotations)
const known: ReadonlyMap<string, Annotation<unknown>> = new Map(all.map((one) => [one.name, one]))
const ours: readonly string[] = Object.values(notes)

/**
 * What the user should know about annotations that have no effect: of the first of them, with the remedy. Without a
 * `use`, of what can be told of any object, whether the operator has something to do with it or not.
 */
export function annotationEvents(object: KubeObject, use?: Use): readonly Event[] {
  const entries = Object.entries(object.metadata.annotations ?? {})
  const strange = entries.filter(([name]) => isStrange(name)).slice(0, mostEvents)
  const useless = new Map(
    use?.ignores
      .map((key) => annotations[key].name)
      .map((name) => [name, `annotation ${name} has no effect, since ${use.since}`]),
  )
  const messages = [
    ...entries.flatMap(([name, text]) => aboutKnown(known.get(name), text, object) ?? []),
    ...entries.flatMap(([name, text]) => (isOn(name, text) ? (useless.get(name) ?? []) : [])),
    ...strange.flatMap(([name]) => aboutStrange(name) ?? []),
  ]
  return messages.slice(0, mostEvents).map((message) => ({ type: 'Warning', reason: 'AnnotationIgnored', message }))
}

const prefixOf = (name: string) => (['culvert/', 'tailscale.com/'] as const).find((one) => name.startsWith(one))
const isStrange = (name: string): boolean => prefixOf(name) !== undefined && !known.has(name) && !ours.includes(name)

/** Whether an annotation would have an effect elsewhere. */
function isOn(name: string, text: string): boolean {
  const turnsOn = known.get(name)?.turnsOn
  return turnsOn === undefined ? text.trim() !== '' : text.trim() === turnsOn
}

function aboutKnown(
  annotated: Annotation<unknown> | undefined,
  text: string,
  { kind }: KubeObject,
): string | undefined {
  if (annotated === undefined) return undefined
  const { name, on, turnsOn } = annotated
  if (!isParent(annotated, kind)) {
    const remedy = (kind === 'Ingress' ? instead.get(name) : undefined) ?? 'Remove it.'
    return `annotation ${name} has no effect on ${kind} objects: it is for ${listed(on)}. ${remedy}`
  }
  if (turnsOn === undefined || [turnsOn, 'false', ''].includes(text.trim())) return undefined
  return `annotation ${name} has no effect: only "${turnsOn}" turns it on, not ${quote(text)}`
}

function aboutStrange(name: string): string | undefined {
  const prefix = prefixOf(name)!
  const word = name.slice(prefix.length)
  const moved = all.find(({ name: one }) => one.endsWith(`/${word}`))?.name
  const similar = moved ?? nearest(name, known.keys(), mostLetters[prefix])
  if (similar === undefined && prefix === 'tailscale.com/') return undefined
  const hint = similar === undefined ? '' : `; did you mean ${similar}?`
  return `there is no annotation ${quote(name, 100)}${hint}`
}
