import { describeProblem, type Reason } from '../../certs/problem.ts'
import type { CertificateReport } from '../../certs/report.ts'
import type { Metric, Sample } from '../../lib/metrics.ts'
import type { World } from '../world/world.ts'
import { keptDomains } from './blocker.ts'

/** Conditions that pass by themselves, so that nobody has to act. */
const waitedFor: ReadonlySet<Reason> = new Set<Reason>(['not-running', 'unissued'])

/** Why names lack a good certificate, one text for each name; empty when all have one. */
export function certificateProblems(world: World): {
  readonly waiting: readonly string[]
  readonly failing: readonly string[]
} {
  const problems = keptDomains(world).flatMap((domain) => {
    const report = world.certificates.reports.get(domain)
    if (report === undefined)
      return [{ reason: 'not-running' as const, text: `the certificate of ${domain} has not been looked at yet` }]
    return report.problem === undefined
      ? []
      : [{ reason: report.problem.reason, text: describeProblem(report.problem) }]
  })
  const texts = (wanted: boolean): string[] =>
    problems.flatMap(({ reason, text }) => (waitedFor.has(reason) === wanted ? [text] : []))
  return { waiting: texts(true), failing: texts(false) }
}

/** Each name for the status, at `now` in milliseconds since 1970; its shape is documented in docs/operations.md. */
export function certificatesView(world: World, now: number): Record<string, unknown>[] {
  return entries(world).map(([domain, report]) => ({
    domain,
    issuer: world.settings.certShare !== 'ro',
    expires: report.stored?.to.toISOString() ?? null,
    servedExpires: report.served?.to.toISOString() ?? null,
    behindSeconds: lag(report, now) ?? null,
    attempts: report.attempts,
    failures: Object.fromEntries(report.failures),
    lastSuccess: report.succeededAt?.toISOString() ?? null,
    nextRequest: report.nextAt?.toISOString() ?? null,
    reason: report.problem?.reason ?? null,
    problem: report.problem === undefined ? null : describeProblem(report.problem),
  }))
}

/** Metrics of the names; those about requests only if this replica is the issuer. */
export function certificateMetrics(world: World, now: number): Metric[] {
  const issues = world.settings.certShare !== 'ro'
  const metric = (
    type: Metric['type'],
    name: string,
    help: string,
    samples: (domain: string, report: CertificateReport) => Sample[],
  ): Metric => ({
    name: `culvert_certificate_${name}`,
    type,
    help,
    samples: entries(world).flatMap(([domain, report]) => samples(domain, report)),
  })
  const at = (domain: string, date: Date | undefined): Sample[] =>
    date === undefined ? [] : [{ labels: { domain }, value: Math.floor(date.getTime() / 1000) }]
  return [
    metric(
      'gauge',
      'expiry_timestamp_seconds',
      'When the certificate in the TLS Secret expires, in seconds since 1970.',
      (domain, { stored }) => at(domain, stored?.to),
    ),
    metric(
      'gauge',
      'served_expiry_timestamp_seconds',
      'When the certificate that a replica which reads serves expires, in seconds since 1970.',
      (domain, { served }) => at(domain, served?.to),
    ),
    metric(
      'gauge',
      'lag_seconds',
      'For how long a replica which reads has served another certificate than the TLS Secret has.',
      (domain, report) => {
        const value = lag(report, now)
        return value === undefined ? [] : [{ labels: { domain }, value }]
      },
    ),
    metric('counter', 'attempts_total', 'How often a certificate was asked for.', (domain, { attempts }) =>
      issues ? [{ labels: { domain }, value: attempts }] : [],
    ),
    metric('counter', 'failures_total', 'How often that failed, by what was in the way.', (domain, { failures }) =>
      [...failures].map(([reason, value]) => ({ labels: { domain, reason }, value })),
    ),
    metric(
      'gauge',
      'last_success_timestamp_seconds',
      'When a certificate was last asked for and was there, in seconds since 1970.',
      (domain, { succeededAt }) => at(domain, succeededAt),
    ),
    metric('gauge', 'problem', 'Always 1: what is in the way of a good certificate.', (domain, { problem }) =>
      problem === undefined ? [] : [{ labels: { domain, reason: problem.reason }, value: 1 }],
    ),
  ]
}

/** Undefined unless the replica is known to serve one. */
const lag = ({ served, behindSince }: CertificateReport, now: number): number | undefined =>
  served === undefined ? undefined : Math.max(0, Math.floor((now - (behindSince?.getTime() ?? now)) / 1000))

const entries = ({ certificates }: World): [string, CertificateReport][] => [...certificates.reports]
