import type { Limited } from '../lib/limit.ts'
import type { CertificateAnswer } from '../localapi/certificate.ts'
import type { TlsSecret } from './inspect.ts'
import type { Problem } from './problem.ts'
import type { CertificateReport } from './report.ts'
import type { Pace, IssueState } from './schedule.ts'

/** What keeping the certificate of one name needs of the outside. Nothing of it rejects unless `signal` aborts. */
export type Parts = {
  readonly domain: string
  /** What of the tailnet is in the way now; undefined: nothing. */
  readonly blocker: () => Problem | undefined
  /** What is in the TLS Secret, or why that cannot be told. */
  readonly readSecret: (signal: AbortSignal) => Promise<TlsSecret | Problem>
  /** Asks tailscaled for a certificate that is valid for so many milliseconds. */
  readonly ask: (minValidityMs: number, signal: AbortSignal) => Promise<CertificateAnswer>
  readonly report: (change: (now: CertificateReport) => CertificateReport) => void
  /** Between two looks at a Secret that is good, and at one that is not; in milliseconds. */
  readonly inspectEvery: { readonly good: number; readonly bad: number }
}

/** What a replica that has certificates issued needs beside that. */
export type IssuerParts = Parts & {
  /** Why tailscaled could not put a certificate into the Secret; undefined: it could. */
  readonly refusesWrites: (signal: AbortSignal) => Promise<Problem | undefined>
  /** Does `work` when no other name is at it. */
  readonly serially: Limited
  /** Of earlier runs. */
  readonly remembered: IssueState | undefined
  readonly remember: (state: IssueState) => void
  readonly pace: Pace
}

/** Looks at everything once, and does what is to be done; gives after how many milliseconds to do so again. */
export type Step = (signal: AbortSignal) => Promise<number>

export const isProblem = (value: object): value is Problem => 'reason' in value
