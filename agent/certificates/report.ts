import { describeProblem, type Problem, type Reason } from '../../certs/problem.ts'
import type { CertificateReport } from '../../certs/report.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { logProblems } from '../world/log-problems.ts'
import type { PodEvents } from '../world/pod-events.ts'
import { logged } from './log-events.ts'

/**
 * Conditions that are normal for a moment at each start and whenever a Service is set up: reported only if they last.
 */
const passing: ReadonlySet<Reason> = new Set<Reason>([
  'not-running',
  'untagged',
  'not-hosted',
  'https-off',
  'no-cert-domain',
  'secret-missing',
  'unissued',
  'unserved',
])

type Parts = {
  readonly domain: string
  readonly log: Log
  readonly clock: Clock
  readonly events: PodEvents
  /** How long a condition that may pass must last before it is reported, in milliseconds. */
  readonly grace: number
  readonly signal: AbortSignal
}

/** Gives a function that takes each report of a name, and puts what is new in it into the log and into Events. */
export function certificateReporter({
  domain,
  log,
  clock,
  events,
  grace,
  signal,
}: Parts): (report: CertificateReport) => void {
  const tell = logProblems(`the certificate of ${domain}`, logged.problem, { log, clock, signal })
  let seen: Problem | undefined
  let known: string | undefined
  let timer = new AbortController()

  return ({ problem, stored }) => {
    if (stored !== undefined && stored.fingerprint !== known) {
      const ready = logged.ready({ domain, until: stored.to.toISOString() })
      log(ready)
      events({ type: 'Normal', reason: 'CertificateReady', message: ready.text })
      known = stored.fingerprint
    }
    if (problem?.text === seen?.text) return
    seen = problem
    timer.abort()
    const now = (): void => {
      tell(problem === undefined ? [] : [describeProblem(problem)])
      if (problem !== undefined)
        events({ type: 'Warning', reason: eventReason(problem.reason), message: describeProblem(problem) })
    }
    if (problem !== undefined && passing.has(problem.reason)) {
      timer = new AbortController()
      clock.after(grace, AbortSignal.any([signal, timer.signal]), now)
    } else now()
  }
}

/** `rate-limit` is `CertificateRateLimit`. */
const eventReason = (reason: Reason): string =>
  `Certificate${reason.replaceAll(/(?:^|-)([a-z])/g, (_match, letter: string) => letter.toUpperCase())}`
