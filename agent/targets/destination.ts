import { type Address, byFamilyAndText, families, type Family } from '../../lib/address.ts'
import { memoOf } from '../../lib/memo.ts'
import { some } from '../../lib/some.ts'
import { specialAddress } from '../../lib/special-address.ts'
import type { Settings } from '../settings/settings.ts'
import type { Destination } from '../world/destination.ts'
import type { World } from '../world/world.ts'
import type { Found, Lookup } from './look-up.ts'

const none: readonly Address[] = []

/** L3 ingress: the addresses of the backends, as set or as resolved. */
export const targetsOf = ({ settings, destination }: Pick<World, 'settings' | 'destination'>): readonly Address[] =>
  destination?.addresses ?? settings.targets

/** Whether a target is this node itself: connections that tailscaled or the agent opens to it would come back for ever. */
export const isOwnAddress = ({ tailnet }: Pick<World, 'tailnet'>, { text }: Address): boolean =>
  tailnet.self?.addresses.some((own) => own.text === text) ?? false

/** Whether TS_DEST_IP has several addresses of a family. */
export const hasSeveralTargets = ({ targets }: Settings): boolean =>
  families.some((family) => targets.filter((target) => target.family === family).length > 1)

/** Whether the name of L3 ingress has never been resolved, so that the targets are unknown. */
export const isUnresolved = ({ destination }: Pick<World, 'destination'>): boolean =>
  destination !== undefined && destination.resolved === undefined

/**
 * Whether connections to a backend of L3 ingress must end, since the name has not had its address for a while. They go
 * on until then, since some names have different addresses in each answer, and terminating Pods finish their work.
 */
export const isGoneBackend = ({ destination }: Pick<World, 'destination'>, { text }: Address): boolean =>
  destination?.resolved !== undefined && !keptBy(destination).has(text)

/** Computed once, since it is asked for each flow, and a name may change its addresses all the time. */
const keptBy = memoOf(
  ({ addresses, left }: Destination) =>
    new Set([...addresses, ...left.map(({ address }) => address)].map(({ text }) => text)),
)

/** Limits for the time after which the name is resolved again, in ms. */
export const refreshMs = { least: 5000, most: 600_000 } as const

type Moment = {
  /** In ms, by the clock. */
  readonly now: number
  readonly date: Date
  /** How long connections to an address go on that the name no longer has, in ms. */
  readonly leaveMs: number
}

/** The destination after a lookup. After a failed one, its addresses stay. */
export function afterLookup(before: Destination, lookup: Lookup, moment: Moment): Destination {
  if ('failed' in lookup) return failed(before, lookup.failed)
  const all = families.map((family) => ({ family, ...ofFamily(before, lookup, family) }))
  // Without duplicates: the IPv6 addresses may contain an IPv4-mapped one.
  const answered = [...new Map(all.flatMap(({ addresses }) => addresses).map((one) => [one.text, one])).values()]
  const refused = answered.flatMap((address) => {
    const what = specialAddress(address)
    return what === undefined ? [] : [`${lookup.as} has ${address.text}, ${what}, which is not used`]
  })
  const usable = answered.filter((address) => specialAddress(address) === undefined)
  if (usable.length === 0) return failed(before, some(refused))
  const addresses = same(before.addresses, usable.toSorted(byFamilyAndText))
  const problems = all.flatMap(({ problem }) => problem ?? [])
  return {
    addresses,
    left: addresses === before.addresses ? stillLeaving(before, moment) : leaving(before, addresses, moment),
    refused,
    resolved: { as: lookup.as, at: moment.date },
    failures: before.failures + Math.min(1, problems.length),
    ...(problems.length > 0 && { problem: problems.join('; ') }),
  }
}

/** How long the answer may be used. */
export function lifetimeMs({ answers }: Found): number {
  const lifetimes = Object.values(answers).flatMap((answer) => (answer.kind === 'addresses' ? [answer.ttl * 1000] : []))
  return Math.max(refreshMs.least, Math.min(refreshMs.most, ...lifetimes))
}

const failed = (before: Destination, problem: string): Destination => ({
  ...before,
  failures: before.failures + 1,
  problem,
})

/** The addresses of a family. If it could not be resolved, they stay; that is a problem only if there are any. */
function ofFamily(
  { addresses }: Destination,
  { as, answers }: Found,
  family: Family,
): { readonly addresses: readonly Address[]; readonly problem?: string } {
  const answer = answers[family]
  if (answer.kind === 'addresses') return { addresses: answer.addresses }
  const known = addresses.filter((address) => address.family === family)
  if (answer.kind === 'none' || known.length === 0) return { addresses: none }
  const record = family === 4 ? 'A' : 'AAAA'
  return { addresses: known, problem: `${record} records of ${as} cannot be resolved: ${answer.reason}` }
}

/** The previous value if it has the same addresses, so that nothing is planned again. */
const same = (before: readonly Address[], now: readonly Address[]): readonly Address[] =>
  before.length === now.length && before.every(({ text }, index) => text === now[index]?.text) ? before : now

const stillLeaving = ({ left }: Destination, { now, leaveMs }: Moment): Destination['left'] => {
  const rest = left.filter(({ since }) => now - since < leaveMs)
  return rest.length === left.length ? left : rest
}

function leaving(before: Destination, addresses: readonly Address[], moment: Moment): Destination['left'] {
  const used = new Set(addresses.map(({ text }) => text))
  const gone = before.addresses.map((address) => ({ address, since: moment.now }))
  return [...stillLeaving(before, moment), ...gone].filter(({ address }) => !used.has(address.text))
}
