import { isDeepStrictEqual } from 'node:util'
import { issuer } from '../../certs/issuer.ts'
import type { Parts, Step } from '../../certs/parts.ts'
import { reader } from '../../certs/reader.ts'
import { type CertificateReport, nothingKnown } from '../../certs/report.ts'
import type { KubeClient } from '../../kube/client.ts'
import type { Log } from '../../lib/log.ts'
import { askCertificate } from '../../localapi/certificate.ts'
import type { LocalApi } from '../../localapi/client.ts'
import type { Waits } from '../world/timings.ts'
import type { Store } from '../world/world.ts'
import type { PodEvents } from './events.ts'
import { withTurn } from './memory.ts'
import { obstacle } from './obstacle.ts'
import { readTlsSecret, refusesWrites } from './secret.ts'
import { certificateTeller } from './tell.ts'

type Limited = <T>(work: () => Promise<T>) => Promise<T>

/** What all names have in common. */
export type Common = {
  readonly store: Store
  readonly api: LocalApi
  readonly kube: KubeClient
  readonly log: Log
  readonly waits: Waits
  readonly events: PodEvents
  /** For looks, and for requests that may have a certificate issued. */
  readonly inPart: Limited
  readonly inTurn: Limited
}

/** A replica that reads is answered from memory, or after one look at the API; in ms. */
const readerAnswerMs = 45_000

/** What is done for the certificate of one name, by what this replica is for; it is told until `signal` aborts. */
export function stepFor(domain: string, common: Common, signal: AbortSignal): Step {
  const { store, api, kube, log, waits, events, inPart, inTurn } = common
  const tell = certificateTeller({ domain, log, events, patience: waits.progress, signal })
  const ask = (limitMs: number) => async (minValidityMs: number, limit: AbortSignal) =>
    askCertificate(api, domain, { minValidityMs, limitMs }, limit)
  const parts: Omit<Parts, 'ask'> = {
    domain,
    obstacle: () => obstacle(store.world, domain),
    readSecret: async (limit) => inPart(() => readTlsSecret(kube, domain, limit)),
    report: (change) => {
      if (signal.aborted) return
      const report = change(store.world.certificates?.get(domain) ?? nothingKnown)
      setReport(store, domain, report)
      tell(report)
    },
    lookMs: { good: waits.reread, bad: waits.look },
  }
  if (store.world.settings.certShare === 'ro') {
    const asked = ask(readerAnswerMs)
    return reader({ ...parts, ask: async (...given) => inPart(() => asked(...given)) })
  }
  return issuer({
    ...parts,
    ask: ask(waits.certificateAnswer),
    refusesWrites: async (limit) => inPart(() => refusesWrites(kube, domain, limit)),
    inTurn,
    remembered: store.world.certificateMemory?.get(domain),
    remember: (turn) =>
      store.update((world) => {
        const before = world.certificateMemory ?? new Map()
        const certificateMemory = withTurn(before, domain, turn, Date.now())
        return isDeepStrictEqual(before, certificateMemory) ? world : { ...world, certificateMemory }
      }),
    pace: { first: waits.certificateRetry, day: waits.certificateDay },
  })
}

/** Undefined: nothing is to be known of that name any more. */
export const setReport = (store: Store, domain: string, report: CertificateReport | undefined): void =>
  store.update((world) => {
    if (isDeepStrictEqual(world.certificates?.get(domain), report)) return world
    const certificates = new Map(world.certificates)
    if (report === undefined) certificates.delete(domain)
    else certificates.set(domain, report)
    return { ...world, certificates }
  })
