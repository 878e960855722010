import { issuer } from '../../certs/issuer.ts'
import { keepTaking, oneAtATime } from '../../certs/keep.ts'
import type { Parts as CertificateParts, Step } from '../../certs/parts.ts'
import { reader } from '../../certs/reader.ts'
import { type CertificateReport, nothingKnown } from '../../certs/report.ts'
import { kubeClient } from '../../kube/client.ts'
import type { Log } from '../../lib/log.ts'
import { askCertificate } from '../../localapi/certificate.ts'
import type { LocalApi } from '../../localapi/client.ts'
import type { Waits } from '../waits.ts'
import type { Store } from '../world.ts'
import { podEvents } from './events.ts'
import { readMemory, withTurn } from './memory.ts'
import { obstacle, sharedDomains } from './obstacle.ts'
import { readTlsSecret, refusesWrites } from './secret.ts'
import { certificateTeller } from './tell.ts'

type Parts = { readonly store: Store; readonly api: LocalApi; readonly log: Log; readonly waits: Waits }

/**
 * Sees to the certificates that a group shares, until `signal` aborts: has them issued where this Pod is to do that, looks
 * whether they are where they should be, and keeps what is known in World.certificates. `secret` is the state Secret.
 */
export async function keepCertificates(
  { store, api, log, waits }: Parts,
  secret: string,
  signal: AbortSignal,
): Promise<void> {
  const { settings } = store.world
  const kube = kubeClient(settings.cluster)
  const events = podEvents(kube, settings, signal)
  const issues = settings.certShare === 'rw'
  if (issues) {
    const certificateMemory = await readMemory({ kube, secret, log, waits }, signal)
    if (signal.aborted) return
    if (certificateMemory !== undefined) store.update((world) => ({ ...world, certificateMemory }))
  }
  const inTurn = oneAtATime()

  const stepFor = (domain: string, end: AbortSignal): Step => {
    const tell = certificateTeller({ domain, log, events, patience: waits.progress, signal: end })
    const parts: CertificateParts = {
      domain,
      obstacle: () => obstacle(store.world, domain),
      readSecret: async (limit) => readTlsSecret(kube, domain, limit),
      ask: async (minValidityMs, limit) =>
        askCertificate(
          api,
          domain,
          { minValidityMs, limitMs: issues ? waits.certificateAnswer : readerAnswerMs },
          limit,
        ),
      report: (change) => {
        if (end.aborted) return
        const report = change(store.world.certificates?.get(domain) ?? nothingKnown)
        setReport(domain, report)
        tell(report)
      },
      lookMs: { good: waits.reread, bad: waits.look },
    }
    if (!issues) return reader(parts)
    return issuer({
      ...parts,
      refusesWrites: async (limit) => refusesWrites(kube, domain, limit),
      inTurn,
      remembered: store.world.certificateMemory?.get(domain),
      remember: (turn) =>
        store.update((world) => {
          const before = world.certificateMemory ?? new Map()
          const after = withTurn(before, domain, turn, Date.now())
          return after.size === 0 && world.certificateMemory === undefined
            ? world
            : { ...world, certificateMemory: after }
        }),
      pace: { first: waits.certificateRetry, day: waits.certificateDay },
    })
  }

  const setReport = (domain: string, report: CertificateReport | undefined): void =>
    store.update((world) => {
      const certificates = new Map(world.certificates)
      if (report === undefined) certificates.delete(domain)
      else certificates.set(domain, report)
      return { ...world, certificates }
    })

  const running = new Map<string, AbortController>()
  const follow = (): void => {
    const wanted = new Set(sharedDomains(store.world))
    for (const [domain, work] of running) {
      if (wanted.has(domain)) continue
      work.abort()
      running.delete(domain)
      setReport(domain, undefined)
    }
    for (const domain of wanted) {
      if (running.has(domain)) continue
      const work = new AbortController()
      running.set(domain, work)
      const end = AbortSignal.any([signal, work.signal])
      const change = (until: AbortSignal): Promise<void> => {
        const before = obstacle(store.world, domain)?.reason
        return store.until((world) => obstacle(world, domain)?.reason !== before, until).then(() => {})
      }
      void keepTaking(stepFor(domain, end), change, end)
    }
  }
  store.watch(follow, signal)
  follow()
}

/** A replica that reads is answered from memory, or after one look at the API; in ms. */
const readerAnswerMs = 45_000
