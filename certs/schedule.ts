import { type Certificate, renewalOf } from './certificate.ts'
import type { Outcome } from './outcome.ts'

/** Lengths in milliseconds: the first pause after a failure, and that between two requests when all is well. */
export type Pace = { readonly first: number; readonly day: number }

/** What is remembered of the requests for a name, also by the next run. */
export type IssueState = {
  /** How many failed in a row that the authority may have counted. */
  readonly failures: number
  /** No request before, in milliseconds since 1970. */
  readonly notBefore: number
  /** Why the last one failed; absent when it did not. */
  readonly reason?: string
}

/** An authority that wants to be left alone for longer is asked anyway: whoever sets up a name anew would wait for ever. */
const longestRetryAfter = 7 * 86_400_000
/** A certificate that is due as soon as it was issued is not asked for all the time, in parts of a day. */
const shortestRest = 1 / 24
/** Replicas and names are not to ask in step: pauses are up to so much longer, never shorter. */
const spread = 0.1

/**
 * When the next request is made, after one at `now` (localapi-apiproxy-recorder.md §C): daily, and when renewal is due;
 * soon after what cost nothing; when the authority says; else after 1, 10 and 100 times the first pause, and then daily.
 * `random` is in [0, 1). Pure.
 */
export function nextIssueState(
  outcome: Outcome,
  { failures }: IssueState,
  pace: Pace,
  now: number,
  random: number,
): IssueState {
  const after = (pause: number): number => Math.ceil(now + pause * (1 + spread * random))
  if (outcome.kind === 'transient') {
    return { failures, notBefore: after(pace.first), reason: outcome.problem.reason }
  }
  if (outcome.kind === 'success') {
    const due = Math.max(renewalOf(outcome.certificate), now + pace.day * shortestRest)
    return { failures: 0, notBefore: Math.ceil(Math.min(due, now + pace.day * (1 - spread * random))) }
  }
  const { retryAfterMs = 0 } = outcome
  const pause =
    retryAfterMs > 0 ? Math.min(longestRetryAfter, Math.max(pace.first, retryAfterMs)) : pauseOf(failures, pace)
  return { failures: failures + 1, notBefore: after(pause), reason: outcome.problem.reason }
}

/** The same when what was issued is gone: at once, then after the pauses of failures. */
export const afterLoss = (losses: number, pace: Pace, now: number, random: number): IssueState =>
  losses === 0
    ? { failures: 0, notBefore: now }
    : { failures: losses, notBefore: Math.ceil(now + pauseOf(losses, pace) * (1 + spread * random)) }

const pauseOf = (failures: number, { first, day }: Pace): number =>
  Math.min(day, failures < 3 ? first * 10 ** failures : day)

/** For how long a certificate is to be valid for no other to be issued: any time, until its renewal is due. */
export function minValidity(certificate: Certificate | undefined, now: number): number {
  if (certificate === undefined || now < renewalOf(certificate)) return 0
  return Math.max(0, certificate.to.getTime() - now) + 60_000
}
