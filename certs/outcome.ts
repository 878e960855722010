import { describe } from '../lib/errors.ts'
import type { CertificateAnswer } from '../localapi/certificate.ts'
import { type Certificate, certificateOf, leafOf } from './certificate.ts'
import { storedIn, type Verdict, verdictProblem } from './inspect.ts'
import { diagnose } from './diagnose.ts'
import { type Problem, problem, type Reason } from './problem.ts'

/** The result of a request, as far as it decides when the next one is made. */
export type Outcome =
  | { readonly kind: 'success'; readonly certificate: Certificate }
  /** The authority was not asked, or was not reached. */
  | { readonly kind: 'transient'; readonly problem: Problem }
  | { readonly kind: 'failure'; readonly problem: Problem; readonly retryAfterMs?: number }

/** Blockers that have cost the authority nothing. */
const free: ReadonlySet<Reason> = new Set<Reason>(['not-running', 'authority-away', 'secret-unreadable'])

export function outcomeOf(domain: string, answer: CertificateAnswer): Outcome {
  if (answer.kind === 'chain') {
    try {
      return { kind: 'success', certificate: certificateOf(leafOf(answer.pem)) }
    } catch (error) {
      return failure(
        problem('daemon', `what tailscaled gave as the certificate of ${domain} is none: ${describe(error)}`),
      )
    }
  }
  if (answer.kind === 'silent') {
    return {
      kind: 'transient',
      problem: problem('daemon', `no certificate for ${domain}: tailscaled: ${answer.words}`),
    }
  }
  const found = diagnose(domain, answer.words)
  if (answer.kind === 'rate-limited') {
    const { retryAfterMs } = answer
    const limited = found.reason === 'rate-limit' ? found : problem('rate-limit', found.text)
    return { ...failure(limited), ...(retryAfterMs !== undefined && { retryAfterMs }) }
  }
  return free.has(found.reason) ? { kind: 'transient', problem: found } : failure(found)
}

/**
 * A certificate that is missing in its Secret does not count; if the Secret cannot be read now, it is inspected later.
 */
export function keptOutcome(domain: string, outcome: Outcome, after: Verdict | Problem): Outcome {
  if (outcome.kind !== 'success' || !('kind' in after) || storedIn(after) !== undefined) return outcome
  const why = verdictProblem(domain, after, Date.now())?.text ?? ''
  return failure(problem('not-kept', `tailscaled has a certificate for ${domain}, but ${why}`))
}

const failure = (found: Problem): Outcome => ({ kind: 'failure', problem: found })
