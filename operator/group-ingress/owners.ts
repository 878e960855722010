import { isDeepStrictEqual } from 'node:util'
import * as z from 'zod/mini'
import { isJsonObject, parseJson } from '../../lib/json.ts'
import type { TailscaleService } from '../api/api.ts'
import type { Identity } from './identity.ts'

/** The annotation of a Tailscale Service that says which operators use it: known to all of them. */
const ownersKey = 'tailscale.com/owner-references'
/** Which of the owners is in which place: by that, an operator that has lost its ID finds its own. */
const placesKey = 'culvert/places'

/** The comment that Tailscale's operator gives, too. */
const comment = 'This Tailscale Service is managed by the Tailscale Kubernetes Operator, do not modify'

/** What an object wants of a Tailscale Service. */
export type Wish = {
  /** Such as `svc:web`. */
  readonly name: string
  readonly ports: readonly string[]
  readonly tags: readonly string[]
  /** The only object that may have it; undefined: operators of several clusters share it. */
  readonly resource?: Sole
}

/** An object of this cluster, as an owner reference names it. */
export type Sole = { readonly kind: string; readonly name: string; readonly uid: string }

/**
 * What is to be done with a Tailscale Service. `differs`: what it has otherwise than wished, since an operator of
 * another cluster has the say in that.
 */
export type Claim =
  | { readonly do: 'nothing'; readonly service: TailscaleService; readonly differs: readonly string[] }
  | { readonly do: 'put'; readonly service: TailscaleService; readonly differs: readonly string[] }
  | { readonly do: 'refuse'; readonly why: string }

export type Release =
  | { readonly do: 'nothing' }
  | { readonly do: 'remove' }
  | { readonly do: 'put'; readonly service: TailscaleService }

const sole = z.looseObject({ kind: z.string(), name: z.string(), uid: z.string() })
const reference = z.looseObject({ operatorID: z.string(), resource: z.optional(z.unknown()) })
const references = z.object({ ownerRefs: z.array(reference) })
type Reference = z.infer<typeof reference>

/** The owners that a Tailscale Service names; none if no operator has made it. */
export function ownersOf({ annotations }: TailscaleService): readonly Reference[] {
  return z.safeParse(references, parseJson(annotations[ownersKey] ?? '')).data?.ownerRefs ?? []
}

function placesOf({ annotations }: TailscaleService): Readonly<Record<string, unknown>> {
  const places = parseJson(annotations[placesKey] ?? '')
  return isJsonObject(places) ? places : {}
}

const placesOfOthers = (service: TailscaleService, { operatorId, former, place }: Identity) =>
  Object.fromEntries(
    Object.entries(placesOf(service)).filter(
      ([where, id]) => where !== place && id !== operatorId && !former.some((one) => one === id),
    ),
  )

/** Whether a reference is one that this operator has written. */
function isMine(service: TailscaleService, { operatorId, former, place }: Identity) {
  const here = placesOf(service)[place]
  return ({ operatorID }: Reference): boolean =>
    operatorID === operatorId || operatorID === here || former.includes(operatorID)
}

/** The same, only for what several may own. */
function isMyShare(service: TailscaleService, identity: Identity) {
  const mine = isMine(service, identity)
  return (one: Reference): boolean => one.resource === undefined && mine(one)
}

/** The object of this cluster for which this operator owns a Tailscale Service alone; undefined if there is none. */
export function soleOf(service: TailscaleService, identity: Identity): Sole | undefined {
  const [first, ...others] = ownersOf(service)
  if (first === undefined || others.length > 0 || !isMine(service, identity)(first)) return undefined
  return z.safeParse(sole, first.resource).data
}

/**
 * What an operator does so that a Tailscale Service is as wished, and names it among its owners. Of several owners, the
 * first one has the say in ports and tags, so that they do not undo each other's changes.
 */
export function claim(present: TailscaleService | undefined, wanted: Wish, identity: Identity): Claim {
  const { operatorId, place } = identity
  const { resource: only, ...wish } = wanted
  const own = { operatorID: operatorId, ...(only !== undefined && { resource: only }) }
  if (present === undefined) {
    const annotations = annotated({}, [own], { [place]: operatorId })
    return { do: 'put', differs: [], service: { ...wish, addrs: [], comment, annotations } }
  }
  const owners = ownersOf(present)
  if (owners.length === 0)
    return { do: 'refuse', why: `${wish.name} exists in the tailnet, and was not made by a Kubernetes operator` }
  if (only !== undefined) {
    const before = soleOf(present, identity)
    // One of the same name with another UID is an earlier one, which is gone; unless it is in a copy of this cluster.
    const isThis = before?.kind === only.kind && before.name === only.name && !isElsewhere(present, identity)
    if (!isThis)
      return {
        do: 'refuse',
        why: `${wish.name} belongs to somebody else, and an API server proxy shares it with nobody`,
      }
    const annotations = annotated(present.annotations, [own], { [place]: operatorId })
    return settle(present, { ...present, ...differing(present, wish), annotations }, wish)
  }
  if (owners.some(({ resource }) => resource !== undefined))
    return { do: 'refuse', why: `${wish.name} belongs to an API server proxy, which does not share it` }
  const mine = isMyShare(present, identity)
  const first = owners.findIndex(mine)
  const others = owners.filter((one) => !mine(one))
  // The place among the owners stays, with a new ID, too.
  const after = first < 0 ? [...owners, own] : others.toSpliced(first, 0, own)
  const leads = after[0]?.operatorID === operatorId
  const places = { ...placesOfOthers(present, identity), [place]: operatorId }
  const annotations = annotated(present.annotations, after, places)
  return settle(present, { ...present, ...(leads && differing(present, wish)), annotations }, wish)
}

type Fields = Pick<Wish, 'ports' | 'tags'>

/** Ports and tags as wished; as they are if they mean the same. */
const differing = (present: Fields, { ports, tags }: Fields): Fields => ({
  ports: isSame(ports, present.ports) ? present.ports : ports,
  tags: isSame(tags, present.tags) ? present.tags : tags,
})

function settle(present: TailscaleService, service: TailscaleService, wish: Fields): Claim {
  const differs = (['ports', 'tags'] as const).flatMap((field) =>
    isSame(service[field], wish[field]) ? [] : [`its ${field} are ${service[field].join(', ')}`],
  )
  return { do: isDeepStrictEqual(service, present) ? 'nothing' : 'put', service, differs }
}

/**
 * What an operator does that no longer wants a Tailscale Service: the last owner removes it. `only`: the object that had
 * it alone, by kind and name.
 */
export function release(
  present: TailscaleService | undefined,
  identity: Identity,
  only?: Pick<Sole, 'kind' | 'name'>,
): Release {
  if (present === undefined) return { do: 'nothing' }
  if (only !== undefined) {
    const { kind, name } = soleOf(present, identity) ?? {}
    const isThis = kind === only.kind && name === only.name && !isElsewhere(present, identity)
    return { do: isThis ? 'remove' : 'nothing' }
  }
  if (!isOwned(present, identity)) return { do: 'nothing' }
  const mine = isMyShare(present, identity)
  const others = ownersOf(present).filter((one) => !mine(one))
  if (others.length === 0) return { do: 'remove' }
  const annotations = annotated(present.annotations, others, placesOfOthers(present, identity))
  return { do: 'put', service: { ...present, annotations } }
}

/** Whether this operator is among the owners who share it. */
export function isOwned(service: TailscaleService, identity: Identity): boolean {
  return ownersOf(service).some(isMyShare(service, identity))
}

/** Whether an operator elsewhere has written with the same ID: two that should have one of their own each. */
export function isElsewhere(service: TailscaleService, { operatorId, place }: Identity): boolean {
  return Object.entries(placesOf(service)).some(([where, id]) => where !== place && id === operatorId)
}

const annotated = (
  annotations: TailscaleService['annotations'],
  ownerRefs: readonly Reference[],
  places: Readonly<Record<string, unknown>>,
): TailscaleService['annotations'] => ({
  ...annotations,
  [ownersKey]: keeping(annotations[ownersKey], { ownerRefs }),
  [placesKey]: keeping(annotations[placesKey], places),
})

/** The text that is there, if it means the same. */
function keeping(text: string | undefined, value: object): string {
  return text !== undefined && isDeepStrictEqual(parseJson(text), value) ? text : JSON.stringify(value)
}

const isSame = (one: readonly string[], other: readonly string[]): boolean =>
  isDeepStrictEqual([...new Set(one)].toSorted(), [...new Set(other)].toSorted())
