import { describe, expect, it } from 'vitest'
import { checks, notReady } from '../../../agent/status/checks.ts'
import { renderStatus, type StatusAnswer } from '../../../agent/cli/status.ts'
import { metrics } from '../../../agent/status/metrics.ts'
import { planStateSecret } from '../../../agent/state-secret/reconciler.ts'
import { list } from '../../../agent/serve/view.ts'
import { statusView } from '../../../agent/status/status.ts'
import type { World } from '../../../agent/world/world.ts'
import { renderMetrics } from '../../../lib/metrics.ts'
import { aServingWorld, site } from './a-serving-world.ts'

const bytes = { TCP: { 5432: { TCPForward: 'db:5432' } } }
const both = { TCP: { ...site.TCP, ...bytes.TCP }, Web: site.Web }
const named = (name: string) => ({ TCP: site.TCP, Web: { [`${name}:443`]: { Handlers: { '/': { Text: 'x' } } } } })
const about = { version: '1', since: () => undefined, now: new Date(0) }
const stateOf = (world: World, name: string) => {
  const check = checks(world).find((one) => one.name === name)
  return check && `${check.state}: ${check.reason ?? ''}`
}

describe('whether the Pod is ready', () => {
  it.each<[string, World, RegExp, RegExp]>([
    ['before anything is served', aServingWorld({}), /^waiting: nothing is served yet/, /^ok/],
    ['once it is', aServingWorld({ served: site }), /^ok/, /^ok/],
    ['a refusal later', aServingWorld({ served: site, error: 'refused' }), /^ok/, /^failing: refused/],
    [
      'part that waits',
      aServingWorld({ config: both, certDomains: [], served: bytes }),
      /^ok/,
      /^failing: port 443: it waits for HTTPS/,
    ],
    [
      'all that waits',
      aServingWorld({ certDomains: [], served: {} }),
      /^waiting: nothing is served: it waits for HTTPS/,
      /^failing/,
    ],
    [
      'a site under a name that the node has not',
      aServingWorld({ config: named('q.lab.ts.net'), served: named('q.lab.ts.net') }),
      /^ok/,
      /^failing: port 443: no client finds .* q\.lab\.ts\.net: the name of this node is p\.lab\.ts\.net\. Write \$\{TS_CERT_DOMAIN\}/,
    ],
    ['one under its name', aServingWorld({ config: named('p.lab.ts.net'), served: site }), /^ok/, /^ok/],
    [
      'all of it refused',
      aServingWorld({ served: {}, error: 'refused' }),
      /^failing: nothing is served: refused/,
      /^failing: refused/,
    ],
    ['a file that says nothing', aServingWorld({ config: {}, served: {} }), /^ok/, /^ok/],
    [
      'a mistake',
      aServingWorld(
        { served: site },
        {
          mounted: {
            serveConfig: {
              content: {
                config: site,
                rejections: [{ entry: 'svc:a', field: 'Services["svc:a"]', reason: 'bad' }],
                warnings: [],
              },
            },
          },
        },
      ),
      /^ok/,
      /^failing: serve-config: svc:a: Services\["svc:a"\]: bad/,
    ],
  ])('%s', (_name, world, serve, config) => {
    expect(stateOf(world, 'serve')).toMatch(serve)
    expect(stateOf(world, 'serve-config')).toMatch(config)
    expect(notReady(world).some((reason) => reason.startsWith('serve-config'))).toBe(false)
    expect(notReady(world).some((reason) => reason.startsWith('serve: '))).toBe(!serve.source.startsWith('^ok'))
  })

  it('not where the first attempt was refused', () => {
    const failed = {
      desired: { config: site, domain: 'p.lab.ts.net', restarts: 0 },
      repairs: 0,
      failures: 1,
      error: 'refused',
    }
    expect(notReady(aServingWorld({}, { reports: { serve: failed } }))).toContain('serve: refused')
  })

  it('what is served is no matter where no file is mounted', () => {
    expect(stateOf(aServingWorld({}, {}, { TS_SERVE_CONFIG: '' }), 'serve')).toBe(undefined)
  })
})

const partly = aServingWorld({ config: both, certDomains: [], served: { ...bytes, Services: { 'svc:a': bytes } } })

it('the status says what is served and what waits', () => {
  const text = renderStatus(statusView(partly, about) as unknown as StatusAnswer)
  expect(text).toMatch(
    /^serving as no name with HTTPS: ports 5432\n {2}svc:a: not advertised from here, not hosted here, or not yet\n {2}! port 443: it waits/m,
  )
  const bare = aServingWorld({ certDomains: ['p.lab.ts.net'], config: {}, served: {} })
  expect(renderStatus(statusView(bare, about) as unknown as StatusAnswer)).toMatch(
    /^serving as p\.lab\.ts\.net: no ports$/m,
  )
})

it('metrics count both', () => {
  const text = renderMetrics(metrics(partly, { ...about, startTime: 0, tailscaledUp: true }))
  expect(text).toContain('culvert_serve_entries{state="served"} 2\nculvert_serve_entries{state="waiting"} 1\n')
  expect(text).toMatch(/culvert_serve_problem_info\{entry="port 443",reason="it waits for HTTPS/)
})

it('the Secret names the node once its serving was tried', () => {
  const stateSecret = { name: 's', access: { patch: true, create: false } }
  const env = { KUBERNETES_SERVICE_HOST: '10.96.0.1', TS_KUBE_SECRET: 's' }
  expect(planStateSecret(aServingWorld({}, { stateSecret }, env))).not.toHaveProperty('https_endpoint')
  expect(planStateSecret(aServingWorld({ served: site }, { stateSecret }, env))).toMatchObject({
    https_endpoint: 'p.lab.ts.net',
  })
})

it('long lists are cut', () => {
  expect(list('port', ['1'])).toBe('port 1')
  expect(
    list(
      'port',
      Array.from({ length: 12 }, (_, n) => String(n)),
    ),
  ).toBe('ports 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more')
})
