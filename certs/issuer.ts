import { inspectSecret, storedIn, type Verdict, verdictProblem } from './inspect.ts'
import { keptOutcome, type Outcome, outcomeOf } from './outcome.ts'
import { isProblem, type IssuerParts, type Step } from './parts.ts'
import { type Problem, problem, type Reason, reasonFrom } from './problem.ts'
import type { CertificateReport } from './report.ts'
import { afterLoss, minValidity, nextIssueState, type IssueState } from './schedule.ts'

/** A failure for these reasons is over as soon as the blocker is gone: its pause is skipped. */
const local: ReadonlySet<Reason> = new Set<Reason>([
  'no-cert-domain',
  'https-off',
  'secret-missing',
  'secret-forbidden',
  'daemon',
])

/**
 * For the issuer: asks tailscaled for the certificate of a name when it is time, and checks that it is in its Secret
 * afterwards. tailscaled is not asked while it could not write there: each request would issue another certificate, and
 * authorities limit these.
 */
export function issuer(parts: IssuerParts): Step {
  const { domain, blocker, readSecret, refusesWrites, ask, serially, pace, report, remember, inspectEvery } = parts
  let issue: IssueState = parts.remembered ?? { failures: 0, notBefore: 0 }
  let failed = rememberedProblem(domain, issue, Date.now())
  let wasBlocked = false
  /** How often in a row an issued certificate vanished from the Secret, and since when the present one is there. */
  let losses = 0
  let keptSince: number | undefined

  const look = async (signal: AbortSignal): Promise<Verdict | Problem> => {
    const secret = await readSecret(signal)
    return isProblem(secret) ? secret : inspectSecret(domain, secret, Date.now())
  }

  const attempt = async (signal: AbortSignal): Promise<Verdict | Problem> => {
    // It may have waited for other names for minutes.
    const before = await look(signal)
    if (isProblem(before) || blocker() !== undefined) return before
    const answer = await ask(minValidity(storedIn(before), Date.now()), signal)
    const after = await look(signal)
    const outcome = keptOutcome(domain, outcomeOf(domain, answer), after)
    issue = nextIssueState(outcome, issue, pace, Date.now(), Math.random())
    failed = outcome.kind === 'success' ? undefined : outcome.problem
    keptSince ??= failed === undefined ? Date.now() : undefined
    remember(issue)
    report((now) => counted(now, outcome))
    return after
  }

  /** A certificate may be removed, for example when its Service is recreated; but not again and again. */
  const seeLoss = (verdict: Verdict, now: number): void => {
    if (keptSince === undefined || failed !== undefined) return
    if (verdict.kind !== 'empty' && verdict.kind !== 'unfit') {
      if (now - keptSince > pace.day) losses = 0
      return
    }
    failed = problem('not-kept', `the certificate of ${domain} had been issued, and is gone from its Secret`)
    issue = afterLoss(losses, pace, now, Math.random())
    losses += 1
    keptSince = undefined
  }

  return async (signal) => {
    let verdict = await look(signal)
    let blocked = blocker() ?? (isProblem(verdict) ? verdict : undefined)
    const unblocked = wasBlocked && blocked === undefined
    if (unblocked && failed !== undefined && local.has(failed.reason)) issue = { ...issue, notBefore: 0 }
    wasBlocked = blocked !== undefined
    if (blocked === undefined && !isProblem(verdict)) {
      seeLoss(verdict, Date.now())
      if (Date.now() >= issue.notBefore) {
        blocked = await refusesWrites(signal)
        if (blocked === undefined) verdict = await serially(() => attempt(signal))
      }
    }
    const now = Date.now()
    const stored = storedIn(verdict)
    const found = blocked ?? failed ?? verdictProblem(domain, verdict, now)
    report(({ attempts, failures, succeededAt }) => ({
      attempts,
      failures,
      ...(succeededAt && { succeededAt }),
      ...(stored && { stored }),
      ...(found && { problem: found }),
      ...(blocked === undefined && { nextAt: new Date(Math.max(now, issue.notBefore)) }),
    }))
    if (blocked !== undefined) return inspectEvery.bad
    return Math.min(
      found === undefined ? inspectEvery.good : inspectEvery.bad,
      Math.max(shortest, issue.notBefore - now),
    )
  }
}

/** Why an earlier run had to wait, if that still holds. */
function rememberedProblem(domain: string, { notBefore, reason = '' }: IssueState, now: number): Problem | undefined {
  const known = reasonFrom(reason)
  if (known === undefined || notBefore <= now) return undefined
  const when = new Date(notBefore).toISOString()
  return problem(known, `no certificate for ${domain}, as an earlier run found; it is asked for again at ${when}`)
}

/** Shortest pause between two inspections, in ms. */
const shortest = 20

function counted(now: CertificateReport, outcome: Outcome): CertificateReport {
  const attempts = now.attempts + 1
  if (outcome.kind === 'success') return { ...now, attempts, succeededAt: new Date() }
  const { reason } = outcome.problem
  return { ...now, attempts, failures: new Map([...now.failures, [reason, (now.failures.get(reason) ?? 0) + 1]]) }
}
