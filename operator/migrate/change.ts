import { isDeepStrictEqual } from 'node:util'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import { isJsonObject } from '../../lib/json.ts'
import { listed } from '../../lib/some.ts'
import { parentInGroup, parentOf, parentResources } from '../objects/parent.ts'
import { differences } from './differences.ts'
import type { Write } from './rehearse.ts'

/** What would become of an object in the cluster. */
export type Change = {
  /** For what: an object of a user, such as `Service default/web`, or the operator itself. */
  readonly for: string
  /** Such as `StatefulSet tailscale/ts-web-x7k2f`. */
  readonly object: string
  readonly action: 'create' | 'change' | 'delete'
  /** It is a StatefulSet whose Pods would be replaced. */
  readonly replacesPods: boolean
  /** Where it would be another, without values; of a change only. */
  readonly fields: readonly string[]
}

/** What the writes of a rehearsal would change, by what it is for. */
export function changesOf(writes: Iterable<Write>): readonly Change[] {
  const changes = [...writes].flatMap((write) => changeOf(write) ?? [])
  return changes.toSorted((one, other) => compare(one.for, other.for) || compare(one.object, other.object))
}

const compare = (one: string, other: string): number => (one === other ? 0 : one < other ? -1 : 1)

/** Undefined if it would be as it is. */
function changeOf({ before, after }: Write): Change | undefined {
  const object = after ?? before
  if (object === undefined) return undefined
  const fields = before === undefined || after === undefined ? [] : differences(before, after)
  if (before !== undefined && after !== undefined && fields.length === 0) return undefined
  return {
    for: ownerOf(object),
    object: inWords(object),
    action: before === undefined ? 'create' : after === undefined ? 'delete' : 'change',
    replacesPods: object.kind === 'StatefulSet' && !isDeepStrictEqual(templateOf(before), templateOf(after)),
    fields,
  }
}

const templateOf = (set: KubeObject | undefined): unknown =>
  isJsonObject(set?.['spec']) ? set['spec']['template'] : undefined

const inWords = ({ kind, metadata }: KubeObject): string => `${kind} ${keyOf(metadata)}`

/** Objects that were made for none of a user's are a user's own, or, in the same namespace, the operator's. */
function ownerOf(object: KubeObject): string {
  const parent = parentOf(object.metadata) ?? parentInGroup(object.metadata)
  if (parent === undefined) return object.kind === 'Secret' ? 'the operator' : inWords(object)
  const namespace = parent.namespace === '' ? undefined : parent.namespace
  return `${parentResources[parent.type].kind} ${keyOf({ namespace, name: parent.name })}`
}

const verbs: Readonly<Record<Change['action'], string>> = {
  create: 'is new',
  change: 'is changed',
  delete: 'is deleted',
}

/** One line. */
export function lineOfChange({ for: of, object, action, replacesPods, fields }: Change): string {
  const own = of === object ? '' : `${object} `
  const pods = replacesPods ? ', and its Pods are replaced' : ''
  // What Pods are to be is deep within.
  const short = fields.map((field) => field.replace(/^spec\.template\.(spec\.)?/, ''))
  return `change ${of}: ${own}${verbs[action]}${pods}${short.length === 0 ? '' : `: ${listed(short)}`}`
}
