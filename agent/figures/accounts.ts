import { combined, type Counts, noCounts } from '../../netfilter/traffic.ts'

/** Whose traffic it is. */
export type Owner = { readonly kind: 'ingress' | 'egress'; readonly service: string }

/** What was counted for a service since the agent began to count. */
export type Account = Owner & {
  readonly counts: Counts
  /** Whether metrics name it. */
  readonly named: boolean
}

/** All that was counted. Every value only grows, as long as its service exists. */
export type Accounts = {
  readonly services: ReadonlyMap<string, Account>
  /** Of services that are gone and that metrics did not name: the sum of such services must not shrink. */
  readonly gone: ReadonlyMap<Owner['kind'], Counts>
  /** The last reading, by place. */
  readonly read: ReadonlyMap<string, Counts>
}

export const noAccounts: Accounts = { services: new Map(), gone: new Map(), read: new Map() }

/** How many services metrics name. */
export const mostNamed = 200

const plus = (one: Counts, other: Counts): Counts => combined(one, other, (a, b) => a + b)
/** Counters that have begun again from zero have grown by all that they show. */
const since = (now: Counts, before: Counts): Counts => combined(now, before, (a, b) => (a < b ? a : a - b))

const keyOf = ({ kind, service }: Owner): string => `${kind} ${service}`

/**
 * The accounts after a reading. `owners` has the present owner of each place. A service keeps for good whether it is
 * named: a series that moved to the sum and back would look like traffic.
 */
export function withReading(
  { services: before, gone: former, read }: Accounts,
  reading: ReadonlyMap<string, Counts>,
  owners: ReadonlyMap<string, Owner>,
): Accounts {
  const present = new Map([...owners.values()].map((owner) => [keyOf(owner), owner]))
  const kept = [...before].filter(([key]) => present.has(key))
  const services = new Map(kept)
  let free = mostNamed - kept.filter(([, { named }]) => named).length
  for (const [key, owner] of present) {
    if (services.has(key)) continue
    services.set(key, { ...owner, counts: noCounts, named: free > 0 })
    free -= 1
  }
  for (const [place, counts] of reading) {
    const owner = owners.get(place)
    const account = owner && services.get(keyOf(owner))
    if (account === undefined) continue
    const grown = since(counts, read.get(place) ?? noCounts)
    services.set(keyOf(account), { ...account, counts: plus(account.counts, grown) })
  }
  const gone = new Map(former)
  for (const [key, { kind, named, counts }] of before)
    if (!named && !present.has(key)) gone.set(kind, plus(gone.get(kind) ?? noCounts, counts))
  return { services, gone, read: reading }
}

/** What metrics show: each named service, and the sum of all others of a kind. */
export function shown({ services, gone }: Accounts): readonly Omit<Account, 'named'>[] {
  const all = [...services.values()]
  const others = new Map(gone)
  for (const { kind, named, counts } of all) if (!named) others.set(kind, plus(others.get(kind) ?? noCounts, counts))
  return [
    ...all.filter(({ named }) => named),
    ...[...others].map(([kind, counts]) => ({ kind, service: '(others)', counts })),
  ]
}

/** Whether most of what is read belongs to nobody any more, so that counting should begin anew. */
export const isStale = (reading: ReadonlyMap<string, Counts>, owners: ReadonlyMap<string, Owner>): boolean =>
  reading.size > 1000 + 2 * owners.size
