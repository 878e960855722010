import { describe, expect, it } from 'vitest'
import { certificateReporter } from '../../../agent/certificates/report.ts'
import { certificateMetrics, certificatesView } from '../../../agent/certificates/view.ts'
import { checks } from '../../../agent/status/checks.ts'
import type { World } from '../../../agent/world/world.ts'
import { problem } from '../../../certs/problem.ts'
import { type CertificateReport, nothingKnown } from '../../../certs/report.ts'
import { renderMetrics } from '../../../lib/metrics.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { aWorld } from '../a-world.ts'

const domain = 'web.lab.ts.net'
const stored = { fingerprint: 'AA', from: new Date(0), to: new Date(90_000_000) }
const now = 1_000_000
const limited = problem('rate-limit', `no certificate for ${domain}: too many`)

function world(report: CertificateReport | undefined, role: 'rw' | 'ro' = 'rw'): World {
  const env = {
    TS_USERSPACE: 'true',
    TS_EXPERIMENTAL_CERT_SHARE: 'true',
    TS_KUBE_SECRET: 's',
    POD_NAME: role === 'rw' ? 'g-0' : 'g-1',
  }
  const config = { Services: { 'svc:web': { Web: { [`${domain}:443`]: { Handlers: {} } } } } }
  return aWorld(
    {
      mounted: { serveConfig: { content: { config, rejections: [], warnings: [] } } },
      ...(report && { certificates: { reports: new Map([[domain, report]]) } }),
    },
    env,
  )
}
const issued: CertificateReport = {
  ...nothingKnown,
  stored,
  attempts: 3,
  failures: new Map([['rate-limit', 2]]),
  succeededAt: new Date(500_000),
  nextAt: new Date(2_000_000),
}
const read: CertificateReport = {
  ...nothingKnown,
  stored,
  served: { ...stored, fingerprint: 'BB', to: new Date(45_000_000) },
  behindSince: new Date(now - 7500),
}

describe('certificates are shown', () => {
  it('in the status', () => {
    expect(certificatesView(world(issued), now)).toEqual([
      {
        domain,
        issuer: true,
        expires: '1970-01-02T01:00:00.000Z',
        servedExpires: null,
        behindSeconds: null,
        attempts: 3,
        failures: { 'rate-limit': 2 },
        lastSuccess: '1970-01-01T00:08:20.000Z',
        nextRequest: '1970-01-01T00:33:20.000Z',
        reason: null,
        problem: null,
      },
    ])
    expect(certificatesView(world({ ...read, problem: limited }, 'ro'), now)).toMatchObject([
      {
        issuer: false,
        servedExpires: '1970-01-01T12:30:00.000Z',
        behindSeconds: 7,
        reason: 'rate-limit',
        problem: expect.stringMatching(/too many\. Wait/) as string,
      },
    ])
    expect(certificatesView(aWorld(), now)).toEqual([])
  })

  it('in the metrics', () => {
    const lines = (one: World): string[] =>
      renderMetrics(certificateMetrics(one, now))
        .split('\n')
        .filter((line) => line.startsWith('culvert_'))
    expect(lines(world({ ...issued, problem: limited }))).toEqual([
      `culvert_certificate_expiry_timestamp_seconds{domain="${domain}"} 90000`,
      `culvert_certificate_attempts_total{domain="${domain}"} 3`,
      `culvert_certificate_failures_total{domain="${domain}",reason="rate-limit"} 2`,
      `culvert_certificate_last_success_timestamp_seconds{domain="${domain}"} 500`,
      `culvert_certificate_problem{domain="${domain}",reason="rate-limit"} 1`,
    ])
    expect(lines(world(read, 'ro'))).toEqual([
      `culvert_certificate_expiry_timestamp_seconds{domain="${domain}"} 90000`,
      `culvert_certificate_served_expiry_timestamp_seconds{domain="${domain}"} 45000`,
      `culvert_certificate_lag_seconds{domain="${domain}"} 7`,
    ])
    expect(lines(aWorld())).toEqual([])
  })

  it.each<[string, CertificateReport | undefined, string, RegExp]>([
    ['not inspected yet', undefined, 'waiting', /has not been looked at/],
    ['it waits', { ...nothingKnown, problem: problem('unissued', 'none yet') }, 'waiting', /none yet/],
    ['a problem', { ...issued, problem: limited }, 'failing', /too many/],
    ['a good certificate', issued, 'ok', /^$/],
  ])('as a check on which readiness does not depend: %s', (_name, report, state, reason) => {
    const check = checks(world(report)).find(({ name }) => name === 'certificates')
    expect(check).toMatchObject({ state, gates: false })
    expect(check?.reason ?? '').toMatch(reason)
    expect(checks(aWorld()).map(({ name }) => name)).not.toContain('certificates')
  })
})

/** What is reported of these reports, each `ms` after the one before. */
async function reported(...reports: [report: CertificateReport, ms?: number][]) {
  const clock = new VirtualClock()
  const [lines, events]: [string[], string[]] = [[], []]
  const onReport = certificateReporter({
    domain,
    log: ({ text }) => lines.push(text),
    clock,
    events: ({ type, reason }) => events.push(`${type} ${reason}`),
    grace: 1000,
    signal: new AbortController().signal,
  })
  for (const [report, ms = 0] of reports) {
    onReport(report)
    await clock.advance(ms)
  }
  return { lines, events }
}

describe('log and Events', () => {
  const waits = { ...nothingKnown, problem: problem('not-hosted', 'not here') }

  it('report a problem only once it lasts', async () => {
    expect(await reported([waits, 500], [issued, 5000])).toEqual({
      lines: [`the certificate of ${domain} is there, valid until 1970-01-02T01:00:00.000Z`],
      events: ['Normal CertificateReady'],
    })
    expect((await reported([waits, 500], [waits, 5000])).events).toEqual(['Warning CertificateNotHosted'])
  })

  it('report each change once', async () => {
    const failed = { ...nothingKnown, problem: limited }
    const { lines, events } = await reported([failed], [failed], [{ ...failed, attempts: 2 }], [issued], [issued])
    expect(events).toEqual(['Warning CertificateRateLimit', 'Normal CertificateReady'])
    expect(lines).toEqual([
      expect.stringMatching(/^warning: no certificate for web\.lab\.ts\.net: too many\. Wait/),
      expect.stringMatching(/is there, valid until/),
      `the certificate of ${domain} is good again`,
    ])
  })
})
