import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { issuer } from '../../certs/issuer.ts'
import type { TlsSecret } from '../../certs/inspect.ts'
import type { IssuerParts } from '../../certs/parts.ts'
import { type Problem, problem } from '../../certs/problem.ts'
import { type CertificateReport, nothingKnown } from '../../certs/report.ts'
import type { IssueState } from '../../certs/schedule.ts'
import type { CertificateAnswer } from '../../localapi/certificate.ts'
import { makePair, type Pair } from './make.ts'

const domain = 'web.lab.ts.net'
const minute = 60_000
const never = new AbortController().signal
const empty: TlsSecret = { certificate: undefined, key: undefined }
let pair: Pair
let foreign: TlsSecret
beforeAll(async () => {
  pair = await makePair([domain])
  const other = await makePair(['x.lab.ts.net'])
  foreign = { certificate: Buffer.from(other.certificate), key: Buffer.from(other.key) }
})
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  return () => vi.useRealTimers()
})

/** What surrounds an issuer, played by the test: tailscaled, the Secret, and what was reported. */
class Outside {
  blocker: Problem | undefined
  secret: TlsSecret | Problem = empty
  denied: Problem | undefined
  /** What tailscaled answers; undefined: it issues a certificate and stores it in the Secret. */
  answer: CertificateAnswer | undefined
  /** When tailscaled was asked, in minutes since the beginning, and the minimum validity in ms. */
  readonly asked: [at: number, minValidityMs: number][] = []
  /** What happens while the issuer waits for the requests for other names. */
  whileWaiting: () => void = () => {}
  report: CertificateReport = nothingKnown
  turns: IssueState[] = []
  readonly #began = Date.now()
  readonly #step: ReturnType<typeof issuer>

  constructor(remembered?: IssueState) {
    const parts: IssuerParts = {
      domain,
      blocker: () => this.blocker,
      readSecret: async () => this.secret,
      refusesWrites: async () => this.denied,
      ask: async (minValidityMs) => {
        this.asked.push([Math.round((Date.now() - this.#began) / minute), minValidityMs])
        if (this.answer !== undefined) return this.answer
        this.secret = { certificate: Buffer.from(pair.certificate), key: Buffer.from(pair.key) }
        return { kind: 'chain', pem: pair.certificate }
      },
      serially: async (work) => {
        this.whileWaiting()
        return work()
      },
      remembered,
      remember: (turn) => this.turns.push(turn),
      report: (change) => (this.report = change(this.report)),
      pace: { first: minute, day: 1440 * minute },
      inspectEvery: { good: 10 * minute, bad: minute },
    }
    this.#step = issuer(parts)
  }

  /** Lets this many minutes pass. */
  async pass(minutes: number): Promise<void> {
    const end = Date.now() + minutes * minute
    for (;;) {
      const pause = await this.#step(never)
      expect(pause).toBeGreaterThan(0)
      if (Date.now() + pause > end) break
      vi.setSystemTime(Date.now() + pause)
    }
    vi.setSystemTime(end)
  }

  get minutes(): number[] {
    return this.asked.map(([at]) => at)
  }
}

const refused = (words: string): CertificateAnswer => ({ kind: 'refused', words })

describe('an issuer', () => {
  it('asks at once, and then once a day', async () => {
    const outside = new Outside()
    await outside.pass(0)
    expect(outside.report).toMatchObject({ attempts: 1, failures: new Map(), stored: expect.anything() as object })
    expect(outside.report.problem).toBeUndefined()
    await outside.pass(1440)
    expect(outside.minutes).toHaveLength(2)
    expect(outside.minutes[1]).toBeGreaterThan(1290)
  })

  it('asks for a longer validity once renewal is due', async () => {
    const outside = new Outside()
    await outside.pass(34 * 60)
    // It keeps asking, as the fake answers with the old certificate.
    expect(outside.asked.slice(0, 3).map(([, validity]) => validity > 0)).toEqual([false, false, true])
  })

  it.each<[string, (outside: Outside, what: Problem | undefined) => void]>([
    ['a problem in the tailnet', (outside, what) => (outside.blocker = what)],
    ['a problem of the Secret', (outside, what) => (outside.secret = what ?? empty)],
    ['a missing permission', (outside, what) => (outside.denied = what)],
  ])('does not ask while %s blocks it, and asks afterwards', async (_name, set) => {
    const outside = new Outside()
    set(outside, problem('secret-forbidden', 'no'))
    await outside.pass(60)
    expect(outside.minutes).toEqual([])
    expect(outside.report).toMatchObject({ attempts: 0, problem: { text: 'no' } })
    set(outside, undefined)
    await outside.pass(0)
    expect(outside.minutes).toEqual([60])
    expect(outside.report.problem).toBeUndefined()
  })

  it('waits longer after each failure, and starts over after a success', async () => {
    const outside = new Outside()
    outside.answer = refused('dns-01 challenge not offered')
    await outside.pass(1500)
    expect(outside.minutes).toHaveLength(4)
    const pauses = outside.minutes.slice(1).map((at, index) => at - outside.minutes[index]!)
    for (const [index, least] of [1, 10, 100].entries()) {
      expect(pauses[index]).toBeGreaterThanOrEqual(least)
      expect(pauses[index]).toBeLessThanOrEqual(Math.ceil(least * 1.1))
    }
    expect(outside.report).toMatchObject({
      attempts: 4,
      failures: new Map([['dns-challenge', 4]]),
      problem: { reason: 'dns-challenge' },
    })
    outside.answer = undefined
    await outside.pass(300)
    expect(outside.turns.at(-1)).toMatchObject({ failures: 0 })
    expect(outside.report.problem).toBeUndefined()
  })

  it('retries at once what is repaired locally', async () => {
    const outside = new Outside()
    outside.answer = refused('error writing TLS cert and key to Secret: secrets "web.lab.ts.net" not found')
    await outside.pass(30)
    expect(outside.minutes).toHaveLength(3)
    outside.secret = problem('secret-missing', 'gone')
    await outside.pass(1)
    outside.answer = undefined
    outside.secret = empty
    await outside.pass(0)
    expect(outside.minutes).toHaveLength(4)
  })

  it('keeps the pause that the authority asked for, although blockers come and go', async () => {
    const outside = new Outside()
    outside.answer = { kind: 'rate-limited', retryAfterMs: 600 * minute, words: 'x' }
    await outside.pass(5)
    outside.blocker = problem('not-hosted', 'x')
    await outside.pass(5)
    outside.blocker = undefined
    await outside.pass(580)
    expect(outside.minutes).toEqual([0])
    await outside.pass(100)
    expect(outside.minutes).toHaveLength(2)
  })

  it('continues the pauses of an earlier run, and reports why', async () => {
    const outside = new Outside({ failures: 2, notBefore: Date.now() + 30 * minute, reason: 'rate-limit' })
    await outside.pass(29)
    expect(outside.minutes).toEqual([])
    expect(outside.report.problem).toMatchObject({
      reason: 'rate-limit',
      text: expect.stringMatching(/earlier run.*asked for again at/) as string,
    })
    await outside.pass(2)
    expect(outside.minutes).toEqual([30])
  })

  it('has a deleted certificate issued again, but with growing pauses', async () => {
    const outside = new Outside()
    await outside.pass(1)
    for (let minutes = 0; minutes < 600; minutes += 1) {
      outside.secret = minutes % 2 === 0 ? empty : foreign
      await outside.pass(1)
    }
    // The first, the first loss, and after 10 and 100 minutes.
    expect(outside.minutes).toHaveLength(4)
    expect(outside.report.problem).toMatchObject({ reason: 'not-kept' })
  })

  it('keeps the pause of a rate limit, also when the Secret is emptied or its certificate expires', async () => {
    const outside = new Outside()
    await outside.pass(1)
    outside.answer = { kind: 'rate-limited', retryAfterMs: 3 * 1440 * minute, words: 'x' }
    await outside.pass(34 * 60)
    const asked = outside.minutes.length
    expect(outside.report.problem).toMatchObject({ reason: 'rate-limit' })
    await outside.pass(16 * 60)
    outside.secret = empty
    await outside.pass(60)
    expect(outside.minutes).toHaveLength(asked)
    expect(outside.report.problem).toMatchObject({ reason: 'rate-limit' })
  })

  it('inspects the Secret again after waiting for other names', async () => {
    const outside = new Outside()
    outside.whileWaiting = () => (outside.secret = problem('secret-missing', 'gone'))
    await outside.pass(0)
    expect(outside.minutes).toEqual([])
  })

  it('counts a certificate that does not reach its Secret as a failure', async () => {
    const outside = new Outside()
    outside.answer = { kind: 'chain', pem: pair.certificate }
    await outside.pass(5)
    expect(outside.minutes.length).toBeLessThan(4)
    expect(outside.report).toMatchObject({ problem: { reason: 'not-kept' } })
  })
})
