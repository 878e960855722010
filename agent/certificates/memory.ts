import type { IssueState } from '../../certs/schedule.ts'
import type { KubeClient } from '../../kube/client.ts'
import { backoff } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { type CertificateMemory, parseCertificateMemory } from '../../wire/certificate-memory.ts'
import { keys } from '../../wire/state-secret.ts'
import type { Timings } from '../world/timings.ts'
import { logged } from './log-events.ts'

type Parts = {
  readonly kube: Pick<KubeClient, 'getSecret'>
  readonly secret: string
  readonly log: Log
  readonly timings: Timings
  readonly clock: Clock
}

/**
 * What earlier runs left in the state Secret, so that a Pod in a crash loop does not use up the authority's rate limit.
 */
export async function readMemory(
  { kube, secret, log, timings, clock }: Parts,
  signal: AbortSignal,
): Promise<CertificateMemory | undefined> {
  const pause = backoff(timings.retryFirst, timings.retryCap)
  while (!signal.aborted) {
    try {
      const text = (await kube.getSecret(secret, signal))?.data.get(keys.certificates)?.toString('utf8')
      const memory =
        text === undefined ? new Map<string, IssueState>() : parseCertificateMemory(text, clock.date().getTime())
      if (memory === undefined) log(logged.memoryUnreadable({ key: keys.certificates, secret }))
      return text === undefined ? undefined : (memory ?? new Map())
    } catch {
      // The check of the state Secret already reports an API server that is away.
      await clock.sleep(pause.next(), signal)
    }
  }
  return undefined
}

/** The memory after a request for `domain` at `now`: failures only, and removed names for as long as they matter. */
export function withIssueState(
  memory: CertificateMemory,
  domain: string,
  state: IssueState,
  now: number,
): CertificateMemory {
  const others = [...memory].filter(([name, { notBefore }]) => name !== domain && notBefore > now - forgetAfter)
  return new Map(state.failures === 0 ? others : [...others, [domain, state]])
}

/** Failures are forgotten this long after the next request was allowed, in ms. */
const forgetAfter = 86_400_000
