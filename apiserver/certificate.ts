import { backoff } from '../lib/backoff.ts'
import type { Clock } from '../lib/clock.ts'
import { describe } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import type { LocalApi } from '../localapi/client.ts'
import { getStatus } from '../localapi/status.ts'
import { events } from './log-events.ts'
import type { Pair } from './listener.ts'

/** In milliseconds: between two looks at a certificate, which tailscaled renews in time; for one to be issued. */
const [lookMs, issueMs, statusMs] = [3_600_000, 600_000, 10_000]
/** Pauses after failures, the first and the longest: until there is a name, and until there is its certificate. */
const pausesMs = { name: [1000, 15_000], certificate: [5000, 600_000] } as const

/** A certificate block of PEM, and a block of a key. */
const blocks = /-----BEGIN (CERTIFICATE|[A-Z ]*PRIVATE KEY)-----[\s\S]+?-----END \1-----/g

/**
 * Certificate and key of tailscaled's answer, which has the key first.
 * @throws Error if there are none, without what there is
 */
export function readPair(text: string): Pair {
  const found = [...text.matchAll(blocks)].map(([block, kind]) => ({ block, isKey: kind !== 'CERTIFICATE' }))
  const key = found.find(({ isKey }) => isKey)?.block
  const chain = found.filter(({ isKey }) => !isKey).map(({ block }) => block)
  if (key === undefined || chain.length === 0) throw new Error("tailscaled's answer is no certificate with its key")
  return { key, cert: chain.join('\n') }
}

/** The name for which the proxy needs a certificate: that of its Tailscale Service, or the node's own. */
export function certificateName(domains: readonly string[], service: string | undefined): string | undefined {
  const [own] = domains
  const label = service?.replace(/^svc:/, '')
  return label === undefined ? own : domains.find((domain) => domain.split('.')[0] === label)
}

type Parts = {
  readonly api: LocalApi
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
  /** The Tailscale Service, such as `svc:kube`; undefined: the node itself. */
  readonly service: string | undefined
  readonly show: (pair: Pair) => void
}

/** Shows tailscaled's certificate of one name, which it issues and renews, until `signal` aborts. */
export async function keepCertificate({ api, clock, log, signal, service, show }: Parts): Promise<void> {
  // Authorities limit requests that fail; to ask tailscaled for names costs nothing, and it may only just start.
  const [forName, forCertificate] = [backoff(...pausesMs.name), backoff(...pausesMs.certificate)]
  let told: string | undefined
  while (!signal.aborted) {
    let pause = forName
    try {
      const { certDomains = [] } = await getStatus(api, { peers: false, certDomains: true }, signal, statusMs)
      const name = certificateName(certDomains, service)
      if (name === undefined) throw new Error(`there is no name with HTTPS among ${certDomains.join(', ') || 'none'}`)
      pause = forCertificate
      show(readPair(await api.get(`cert/${encodeURIComponent(name)}?type=pair`, signal, issueMs)))
      if (told !== '') log(events.certificate({ domain: name }))
      told = ''
      forName.reset()
      forCertificate.reset()
      await clock.sleep(lookMs, signal)
    } catch (error) {
      if (signal.aborted) return
      const problem = describe(error)
      if (told !== problem) log(events.noCertificate({ problem }))
      told = problem
      await clock.sleep(pause.next(), signal)
    }
  }
}
