import { isDeepStrictEqual } from 'node:util'
import { issuer } from '../../certs/issuer.ts'
import type { Parts, Step } from '../../certs/parts.ts'
import { reader } from '../../certs/reader.ts'
import { nothingKnown } from '../../certs/report.ts'
import type { KubeClient } from '../../kube/client.ts'
import type { Limited } from '../../lib/limit.ts'
import { askCertificate } from '../../localapi/certificate.ts'
import type { Context } from '../world/context.ts'
import type { Write } from '../world/store.ts'
import type { Certificates } from '../world/world.ts'
import type { PodEvents } from '../world/pod-events.ts'
import { withIssueState } from './memory.ts'
import { blocker } from './blocker.ts'
import { readOwn, readTlsSecret, refusesWrites } from './secret.ts'
import { certificateReporter } from './report.ts'
import { writeReport } from './write-report.ts'

/** What all names have in common. */
export type Common = Pick<Context, 'store' | 'api' | 'log' | 'timings' | 'clock'> & {
  readonly write: Write<Certificates>
  readonly kube: KubeClient
  readonly events: PodEvents
  /** The state Secret, in which tailscaled keeps the certificate of the node's own name; undefined: a shared one. */
  readonly at: { readonly ownIn: string } | undefined
  /** Limits how many names are inspected at once, and how many requests may have a certificate issued. */
  readonly inPart: Limited
  readonly serially: Limited
}

/** For a reader's request: tailscaled answers from memory or after one look at the API; in ms. */
const readerAnswerMs = 45_000

/** The step for the certificate of one name, as issuer or reader. Reports until `signal` aborts. */
export function stepFor(domain: string, common: Common, signal: AbortSignal): Step {
  const { store, write, api, kube, log, timings, clock, events, inPart, serially, at } = common
  const reportNews = certificateReporter({ domain, log, clock, events, grace: timings.progress, signal })
  const ask = (limitMs: number) => async (minValidityMs: number, limit: AbortSignal) =>
    askCertificate(api, domain, { minValidityMs, limitMs }, limit)
  const parts: Omit<Parts, 'ask'> = {
    domain,
    blocker: () => blocker(store.world, domain),
    readSecret: async (limit) =>
      inPart(() => (at === undefined ? readTlsSecret(kube, domain, limit) : readOwn(kube, at.ownIn, domain, limit))),
    report: (change) => {
      if (signal.aborted) return
      const report = change(store.world.certificates.reports.get(domain) ?? nothingKnown)
      writeReport(write, domain, report)
      reportNews(report)
    },
    inspectEvery: { good: timings.reread, bad: timings.look },
  }
  if (store.world.settings.certShare === 'ro') {
    const asked = ask(readerAnswerMs)
    return reader({ ...parts, ask: async (...given) => inPart(() => asked(...given)) })
  }
  return issuer({
    ...parts,
    ask: ask(timings.certificateAnswer),
    // Of the state Secret, the agent has found that out at its start.
    refusesWrites: async (limit) => (at === undefined ? inPart(() => refusesWrites(kube, domain, limit)) : undefined),
    serially,
    remembered: store.world.certificates.memory?.get(domain),
    remember: (state) =>
      write((now) => {
        const before = now.memory ?? new Map()
        const memory = withIssueState(before, domain, state, clock.date().getTime())
        return isDeepStrictEqual(before, memory) ? now : { ...now, memory }
      }),
    pace: { first: timings.certificateRetry, day: timings.certificateDay },
  })
}
