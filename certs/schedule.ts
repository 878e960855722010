import { type Certificate, renewalOf } from './certificate.ts'
import type { Outcome } from './outcome.ts'

/** In milliseconds: the first pause after a failure, and the pause between two requests when all is well. */
export type Pace = { readonly first: number; readonly day: number }

/** What is remembered about the requests for a name, across runs. */
export type IssueState = {
  /** How many in a row have failed in a way that the authority may have counted. */
  readonly failures: number
  /** The earliest time of the next request, in milliseconds since 1970. */
  readonly notBefore: number
  /** Why the last one failed; absent if it did not. */
  readonly reason?: string
}

/** A longer Retry-After is cut to this: recreating a name would otherwise wait for ever. */
const longestRetryAfter = 7 * 86_400_000
/** Shortest pause for a certificate that is due as soon as it is issued, as a fraction of a day. */
const shortestRest = 1 / 24
/** Replicas and names must not ask in step: pauses are up to this much longer, never shorter. */
const spread = 0.1

/**
 * When the next request is made, after one at `now`: daily, and when renewal is due;
 * soon after what cost nothing; when the authority says; else after 1, 10 and 100 times the first pause, and then
 * daily. `random` is in [0, 1). Pure.
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

/** The same after an issued certificate has vanished: at once, then after the pauses of failures. */
export const afterLoss = (losses: number, pace: Pace, now: number, random: number): IssueState =>
  losses === 0
    ? { failures: 0, notBefore: now }
    : { failures: losses, notBefore: Math.ceil(now + pauseOf(losses, pace) * (1 + spread * random)) }

const pauseOf = (failures: number, { first, day }: Pace): number =>
  Math.min(day, failures < 3 ? first * 10 ** failures : day)

/** The validity to ask for so that nothing is issued unless needed: any, until the renewal is due. */
export function minValidity(certificate: Certificate | undefined, now: number): number {
  if (certificate === undefined || now < renewalOf(certificate)) return 0
  return Math.max(0, certificate.to.getTime() - now) + 60_000
}
