import { type Declared, undivided } from './declared.ts'

/** Milliseconds of an election. */
export type ElectionTimes = {
  /** Whole seconds. For so long after its last sign of life a leader is left alone. */
  readonly lease: number
  /** A leader that has not renewed its Lease for so long writes nothing any more. What it had sent has the rest. */
  readonly deadline: number
  /** Between renewals, and between attempts. */
  readonly retry: number
}

/** A Lease as it was read. */
export type LeaseView = {
  readonly version: string
  /** What its holder has written, as a whole: it gives a sign of life by changing that. */
  readonly record: string
  /** Undefined: nobody. */
  readonly holder: string | undefined
  /** For how many milliseconds after a sign of life the holder wants to be left alone; undefined if it does not say. */
  readonly lease: number | undefined
  /** When its holder gave a sign of life, by the clock of that. */
  readonly renewed: string | undefined
  /** How often the holder has changed; undefined: nobody has held it since it was made or emptied. */
  readonly transitions: number | undefined
  /** The annotation by which it declares a plan. */
  readonly annotation: string | undefined
  readonly declared: Declared
}

type Seen = {
  /** Undefined: the Lease does not exist. */
  readonly view: LeaseView | undefined
  /** When it may be taken. */
  readonly free: number
}

/**
 * One of those that want to be leader. All times are those of its own clock, in milliseconds: times that others have
 * written say nothing, since their clocks may be wrong. Only that what they have written changes is a sign of life.
 */
export type Candidate = {
  readonly identity: string
  readonly times: ElectionTimes
  /** By which it would work; undefined: the Lease declares none. */
  readonly plan: string | undefined
  /** Undefined: nothing was seen yet. */
  readonly seen: Seen | undefined
  /** It holds the Lease until then, unless it renews it. */
  readonly until: number | undefined
  /** From then on nobody works by another plan, as far as it holds the Lease. */
  readonly settles: number
  /** It has declared its plan as settled. */
  readonly isSettled: boolean
  /** As leader it has seen an earlier version of the Lease than it had written. */
  readonly isUndone?: true
}

/** What a candidate is to do. */
export type Step =
  | { readonly type: 'wait'; readonly ms: number }
  /** Writes itself into the Lease, provided that it is as seen. */
  | { readonly type: 'write' }
  /** It has been leader, and is not any more. */
  | { readonly type: 'lost'; readonly reason: string }

export const candidate = (identity: string, times: ElectionTimes, plan?: string): Candidate => ({
  identity,
  times,
  plan,
  seen: undefined,
  until: undefined,
  settles: Number.POSITIVE_INFINITY,
  isSettled: false,
})

/** It has seen the Lease; undefined: there is none. A version seen late does no harm: writes are refused then. */
export function saw(before: Candidate, view: LeaseView | undefined, now: number): Candidate {
  const { times, seen } = before
  if (view === undefined && seen !== undefined && seen.view === undefined) return before
  if (before.until !== undefined && isEarlier(view?.version, seen?.view?.version)) return { ...before, isUndone: true }
  if (view === undefined || (view.holder === undefined && seen !== undefined && !continues(seen.view, view))) {
    // Somebody may have deleted or emptied it under a leader, which goes on until its deadline.
    const longest = Math.max(times.lease, seen?.view?.lease ?? 0)
    return { ...before, seen: { view, free: Math.max(seen?.free ?? now, now + longest) } }
  }
  if (seen?.view?.record === view.record) return { ...before, seen: { ...seen, view } }
  // Also if it is its own from a request that was given up: that may have arrived much later, while another is leader.
  return { ...before, seen: { view, free: view.holder === undefined ? now : now + (view.lease ?? times.lease) } }
}

/** Whether a Lease that nobody holds is what leaders have made of the one before, and has lost nothing of what they wrote. */
const continues = (before: LeaseView | undefined, view: LeaseView): boolean =>
  before !== undefined &&
  (before.version === view.version ||
    (view.transitions !== undefined &&
      view.transitions >= (before.transitions ?? 0) &&
      // Who gives it back says when, and who only removes the holder does not.
      (before.holder === undefined || view.renewed !== before.renewed) &&
      (view.annotation !== undefined || before.annotation === undefined)))

/** It has written itself into the Lease, by a request that it sent at `sent` and that was answered by `now`. */
export function wrote(before: Candidate, view: LeaseView, sent: number, now: number): Candidate {
  const { times, plan, seen, until } = before
  // Those of another plan have seen the Lease before, and may go on by that until their deadline.
  const settles = until === undefined ? now + Math.max(times.lease, seen?.view?.lease ?? 0) : before.settles
  const isSettled = before.isSettled || plan === undefined || isSettledAs(plan, view.declared)
  return { ...before, seen: { view, free: sent }, until: sent + times.deadline, settles, isSettled }
}

const isSettledAs = (plan: string, declared: Declared): boolean => declared.isSettled && declared.plan === plan

/** What it declares if it writes itself into the Lease now; undefined: nothing. */
export function declares({ plan, seen, until, settles, isSettled }: Candidate, now: number): Declared | undefined {
  if (plan === undefined) return undefined
  // One that was deleted or emptied, and that nobody has taken since, has had no leaders for the length of a Lease.
  const before = seen?.view?.declared ?? { plan: undivided, isSettled: true }
  const isNow = until === undefined ? isSettledAs(plan, before) : isSettled || now >= settles
  return { plan, isSettled: isNow }
}

/** Whether it holds the Lease, though it may not work yet. */
export const isHolder = ({ until, isUndone }: Candidate, now: number): boolean =>
  until !== undefined && now < until && !isUndone

export const isLeader = (self: Candidate, now: number): boolean => self.isSettled && isHolder(self, now)

/**
 * Whether one version of an object is from before another: of decimal numbers the smaller one, as Kubernetes defines
 * since 1.35. Nothing is said of others.
 */
const isEarlier = (version = '', than = ''): boolean =>
  [version, than].every((one) => /^[1-9]\d*$/.test(one)) && BigInt(version) < BigInt(than)

/** What is to be done at `now`. */
export function stepOf({ identity, times, seen, until, isUndone }: Candidate, now: number): Step {
  const holder = seen?.view?.holder
  if (until !== undefined) {
    if (holder !== undefined && holder !== identity) return { type: 'lost', reason: `${holder} has taken it` }
    // All that it knows of the cluster may be of a future that there will not be, and watches do not tell.
    if (isUndone) return { type: 'lost', reason: 'the cluster is in an earlier state, as after a restore of etcd' }
    if (now >= until) return { type: 'lost', reason: `it could not be renewed for ${times.deadline / 1000} s` }
    const renewed = until - times.deadline
    return now >= renewed + times.retry ? { type: 'write' } : { type: 'wait', ms: renewed + times.retry - now }
  }
  if (seen === undefined) return { type: 'wait', ms: times.retry }
  return now >= seen.free ? { type: 'write' } : { type: 'wait', ms: seen.free - now }
}
