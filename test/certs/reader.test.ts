import { beforeAll, describe, expect, it, vi } from 'vitest'
import type { TlsSecret } from '../../certs/inspect.ts'
import { isProblem, type Parts } from '../../certs/parts.ts'
import { problem } from '../../certs/problem.ts'
import { reader } from '../../certs/reader.ts'
import { type CertificateReport, nothingKnown } from '../../certs/report.ts'
import type { CertificateAnswer } from '../../localapi/certificate.ts'
import { makePair, type Pair } from './make.ts'

const domain = 'web.lab.ts.net'
const hour = 3_600_000
const never = new AbortController().signal
let [old, renewed]: Pair[] = []
beforeAll(async () => {
  ;[old, renewed] = await Promise.all([makePair([domain]), makePair([domain])])
})

const stored = ({ certificate, key }: Pair): TlsSecret => ({
  certificate: Buffer.from(certificate),
  key: Buffer.from(key),
})
const served = ({ certificate }: Pair): CertificateAnswer => ({ kind: 'chain', pem: certificate })
const unserved: CertificateAnswer = { kind: 'refused', words: 'in read-only mode: cert expired' }

/** What a reader reports of each state, one after the other. */
async function reports(
  ...states: [secret: Awaited<ReturnType<Parts['readSecret']>>, answer: CertificateAnswer | 'blocked', after?: number][]
) {
  let [report, secret, answer]: [CertificateReport, ...(typeof states)[number]] = [nothingKnown, ...states[0]!]
  const step = reader({
    domain,
    blocker: () => (answer === 'blocked' ? problem('not-hosted', 'no') : undefined),
    readSecret: async () => secret,
    ask: async () => (answer === 'blocked' ? Promise.reject(new Error('it was asked')) : answer),
    report: (change) => (report = change(report)),
    inspectEvery: { good: 2, bad: 1 },
  })
  const seen: { reason: string | undefined; pause: number; report: CertificateReport }[] = []
  vi.useFakeTimers({ toFake: ['Date'] })
  try {
    for (const [nextSecret, nextAnswer, after = 0] of states) {
      ;[secret, answer] = [nextSecret, nextAnswer]
      vi.setSystemTime(Date.now() + after)
      const pause = await step(never)
      seen.push({ reason: report.problem?.reason, pause, report })
    }
  } finally {
    vi.useRealTimers()
  }
  return seen
}

describe('a reader', () => {
  it('reports blockers, those of the tailnet first, and looks again sooner', async () => {
    const seen = await reports(
      [stored(old!), 'blocked'],
      [problem('secret-missing', 'gone'), served(old!)],
      [{ certificate: undefined, key: undefined }, unserved],
      [{ certificate: Buffer.from('x'), key: Buffer.from('y') }, served(old!)],
      [stored(old!), unserved],
      [stored(old!), served(old!)],
    )
    expect(seen.map(({ reason }) => reason)).toEqual([
      'not-hosted',
      'secret-missing',
      'unissued',
      'secret-unfit',
      'unserved',
      undefined,
    ])
    expect(seen.map(({ pause }) => pause)).toEqual([1, 1, 1, 1, 1, 2])
    expect(seen[1]!.report.served).toBeDefined()
    expect(isProblem(seen[1]!.report.problem!)).toBe(true)
  })

  it('reports how old the certificate is, and when it is too old', async () => {
    const seen = await reports(
      [stored(old!), served(old!)],
      [stored(renewed!), served(old!)],
      [stored(renewed!), served(old!), 24 * hour],
      [stored(renewed!), served(old!), 2 * hour],
      [stored(renewed!), served(renewed!)],
    )
    expect(seen.map(({ reason }) => reason)).toEqual([undefined, undefined, undefined, 'behind', undefined])
    expect(seen.map(({ report }) => report.behindSince !== undefined)).toEqual([false, true, true, true, false])
    expect(seen[3]!.report.behindSince).toEqual(seen[1]!.report.behindSince)
  })

  it('reports problems of tailscaled as its own', async () => {
    const seen = await reports(
      [stored(old!), { kind: 'silent', words: 'connect ENOENT' }],
      [stored(old!), { kind: 'refused', words: 'getting TLS Secret "web.lab.ts.net": EOF' }],
    )
    expect(seen.map(({ reason }) => reason)).toEqual(['daemon', 'secret-unreadable'])
  })

  it('warns when a renewal is late', async () => {
    const seen = await reports([stored(old!), served(old!)], [stored(old!), served(old!), 38 * hour])
    expect(seen.map(({ reason }) => reason)).toEqual([undefined, 'expiring'])
  })
})
