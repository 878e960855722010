import { inspectSecret, storedIn, verdictProblem } from './inspect.ts'
import { type Outcome, outcomeOf } from './outcome.ts'
import { isProblem, type Parts, type Step } from './parts.ts'
import { type Problem, problem } from './problem.ts'

/** tailscaled may serve a replaced certificate for this long, since it reads the Secret once a day. In ms. */
const mostBehind = 25 * 3_600_000

/** For a reader: checks that the certificate is in its Secret, and that tailscaled serves it. */
export function reader({ domain, blocker, readSecret, ask, report, inspectEvery }: Parts): Step {
  let behindSince: Date | undefined
  return async (signal) => {
    const blocked = blocker()
    const secret = await readSecret(signal)
    const outcome = blocked === undefined ? outcomeOf(domain, await ask(0, signal)) : undefined
    const now = new Date()
    const verdict = isProblem(secret) ? secret : inspectSecret(domain, secret, now.getTime())
    const stored = storedIn(verdict)
    const served = outcome?.kind === 'success' ? outcome.certificate : undefined
    behindSince = stored && served && stored.fingerprint !== served.fingerprint ? (behindSince ?? now) : undefined
    const late = behindSince !== undefined && now.getTime() - behindSince.getTime() > mostBehind
    const found =
      blocked ??
      verdictProblem(domain, verdict, now.getTime()) ??
      unservedProblem(outcome) ??
      (late ? problem('behind', `what is served for ${domain} is not what its Secret has`) : undefined)
    report(({ attempts, failures }) => ({
      attempts,
      failures,
      ...(stored && { stored }),
      ...(served && { served }),
      ...(behindSince && { behindSince }),
      ...(found && { problem: found }),
    }))
    return found === undefined ? inspectEvery.good : inspectEvery.bad
  }
}

/** Why tailscaled does not serve the certificate in the Secret. */
function unservedProblem(outcome: Outcome | undefined): Problem | undefined {
  if (outcome === undefined || outcome.kind === 'success') return undefined
  return outcome.kind === 'transient' ? outcome.problem : problem('unserved', outcome.problem.text)
}
