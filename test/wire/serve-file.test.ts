import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CulvertError } from '../../lib/errors.ts'
import { entriesOf, joinEntries, type ServeConfig } from '../../wire/serve-config.ts'
import { parseServeFile, type ServeFile } from '../../wire/serve-file.ts'
import { growth } from '../lib/processor-time.ts'

const parse = (value: unknown, before?: ServeFile): ServeFile =>
  parseServeFile(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)), before)

const proxy = { Handlers: { '/': { Proxy: 'http://10.0.0.9:8080/' } } }
const site = '${TS_CERT_DOMAIN}:443'
const https = { TCP: { 443: { HTTPS: true } }, Web: { [site]: proxy } }
const service = { TCP: { 443: { HTTPS: true } }, Web: { 'app.lab.ts.net:443': proxy } }

describe('accepts', () => {
  it.each<[string, object]>([
    ['nothing', {}],
    ['a site', https],
    [
      'a redirect, and Funnel',
      {
        TCP: { 80: { HTTP: true }, 443: { HTTPS: true } },
        Web: {
          [site]: proxy,
          '${TS_CERT_DOMAIN}:80': { Handlers: { '/': { Redirect: '301:https://${HOST}${REQUEST_URI}' } } },
        },
        AllowFunnel: { [site]: true, '${TS_CERT_DOMAIN}:80': true },
      },
    ],
    [
      'every kind of handler',
      {
        TCP: { 80: { HTTP: true } },
        Web: {
          'app.lab.ts.net:80': {
            Handlers: {
              '/': { Text: 'hello' },
              '/files/': { Path: '/srv/files' },
              '/old': { Redirect: '/new' },
              '/new': { Redirect: 'https://example.com/' },
              '/a': { Proxy: '8080', AcceptAppCaps: ['example.com/cap/x'] },
              '/b': { Proxy: 'backend:8080/path' },
              '/c': { Proxy: 'https+insecure://[fd00::9]:8443' },
              '/d': { Proxy: 'unix:/run/app.sock' },
              '/e': { Proxy: ':3000' },
              '/f': { Proxy: 'http://:3000/path' },
            },
          },
        },
      },
    ],
    [
      'bytes',
      {
        TCP: {
          5432: { TCPForward: '10.0.0.9:5432' },
          5433: { TCPForward: '[fd00::9]:5432', ProxyProtocol: 2 },
          5434: { TCPForward: 'db.default.svc:5432', TerminateTLS: 'app.lab.ts.net', ProxyProtocol: 1 },
          5435: { TCPForward: 'unix:/run/db.sock' },
          5436: { TCPForward: 'db.default.svc.cluster.local.:5432' },
          5437: { TCPForward: ':5432' },
        },
        AllowFunnel: { 'app.lab.ts.net:5434': true },
      },
    ],
    ['Tailscale Services', { Services: { 'svc:app': service, 'svc:tun': { Tun: true } } }],
  ])('%s', (_name, config) => {
    expect(parse(config)).toEqual({ config, rejections: [], warnings: [] })
  })

  it('decodes as Go does: field names in any case, null as absent, false and 0 left out', () => {
    expect(
      parse({
        tcp: { 443: { https: true, HTTP: false, TCPForward: '', ProxyProtocol: 0 }, 80: { TCPforward: 'a:1' } },
        web: { [site]: { handlers: { '/': { proxy: 'http://10.0.0.9:8080/', Text: '', AcceptAppCaps: null } } } },
        Services: { 'svc:app': { ...service, Tun: false } },
        AllowFunnel: { [site]: false, 'other.lab.ts.net:1': false },
      }).config,
    ).toEqual({ ...https, TCP: { ...https.TCP, 80: { TCPForward: 'a:1' } }, Services: { 'svc:app': service } })
  })
})

describe('rejects what is invalid', () => {
  it('keeps the last good version of an entry, whatever happens to the others', () => {
    const tun = { Tun: true }
    const before = parse({ ...https, AllowFunnel: { [site]: true }, Services: { 'svc:app': service, 'svc:b': tun } })
    const bad = { ...https.TCP, 80: { TCPForward: 'a:1' } }
    const after = parse({ TCP: bad, Web: { [site]: 7 }, Services: { 'svc:app': 7, 'svc:c': tun } }, before)
    expect(after.rejections.map(({ entry }) => entry)).toEqual(['port 443', 'svc:app'])
    expect(after.config).toEqual({
      ...https,
      TCP: bad,
      AllowFunnel: { [site]: true },
      Services: { 'svc:app': service, 'svc:c': tun },
    })
  })

  it('ignores an unknown field with a warning', () => {
    const { config, rejections, warnings } = parse({
      ...https,
      TCP: { 443: { HTTPS: true, HTTP2: true } },
      Foreground: {},
    })
    expect({ config, rejections }).toEqual({ config: https, rejections: [] })
    expect(warnings.map(({ entry, field }) => [entry, field])).toEqual([
      ['"Foreground"', ''],
      ['port 443', 'TCP["443"].HTTP2'],
    ])
  })
})

it.each(['', 'x', '{"TCP":', '[]', 'null', '{"TCP":[]}', '{"Services":7}', '{"Web":"x"}', '{"AllowFunnel":true}'])(
  'uses nothing of %j',
  (text) => {
    expect(() => parse(text)).toThrow(CulvertError)
  },
)

describe('for any file', () => {
  const text = fc.constantFrom(
    '',
    'x',
    'a.b:443',
    site,
    'a.b',
    '443',
    '80',
    '/',
    '/x',
    'unix:/a',
    '10.0.0.9:1',
    '${TS_CERT_DOMAIN}',
    '__proto__',
    'svc:a',
    'svc:b',
  )
  const leaf = fc.oneof(
    text,
    fc.boolean(),
    fc.integer({ min: -1, max: 3 }),
    fc.constant(null),
    fc.constant([]),
    fc.constant({}),
  )
  const record = (names: fc.Arbitrary<string>, value: fc.Arbitrary<unknown>) =>
    fc.oneof({ weight: 8, arbitrary: fc.dictionary(names, value, { maxKeys: 4 }) }, leaf)
  const handlers = record(fc.constantFrom('Path', 'Proxy', 'Text', 'Redirect', 'AcceptAppCaps', 'Other'), leaf)
  const web = record(text, record(fc.constantFrom('Handlers', 'handlers', 'X'), record(text, handlers)))
  const tcp = record(
    text,
    record(fc.constantFrom('HTTPS', 'HTTP', 'TCPForward', 'TerminateTLS', 'ProxyProtocol'), leaf),
  )
  const services = record(text, fc.oneof(leaf, fc.record({ TCP: tcp, Web: web, Tun: leaf }, { requiredKeys: [] })))
  const file = fc.record(
    { TCP: tcp, Web: web, Services: services, AllowFunnel: record(text, leaf) },
    { requiredKeys: [] },
  )

  const attempt = (value: unknown, before?: ServeFile): ServeFile | undefined => {
    try {
      return parse(value, before)
    } catch (error) {
      if (error instanceof CulvertError) return undefined
      throw error
    }
  }

  /** Whether `whole` has everything that `part` has. */
  const isWithin = (part: unknown, whole: unknown): boolean =>
    typeof part === 'object' && part !== null
      ? typeof whole === 'object' &&
        whole !== null &&
        Object.entries(part).every(([name, value]) => {
          const found = Object.entries(whole).findLast(([other]) => other.toLowerCase() === name.toLowerCase())
          return found !== undefined && isWithin(value, found[1])
        })
      : part === whole

  it('serves nothing that the file does not have, and only what is valid', () => {
    fc.assert(
      fc.property(file, (value) => {
        const read = attempt(value)
        if (read === undefined) return
        expect(isWithin(read.config, JSON.parse(JSON.stringify(value)))).toBe(true)
        expect(parse(read.config)).toEqual({
          config: read.config,
          rejections: [],
          warnings: expect.anything() as unknown,
        })
      }),
      { numRuns: 3000 },
    )
  })

  it('each entry is as the file has it now, or as it was', () => {
    fc.assert(
      fc.property(file, file, (first, second) => {
        const before = attempt(first)
        const [fresh, after] = [attempt(second), attempt(second, before)]
        if (fresh === undefined || after === undefined || before === undefined) return
        const [now, was] = [entriesOf(fresh.config), entriesOf(before.config)]
        for (const [name, entry] of entriesOf(after.config)) {
          expect([now.get(name), was.get(name)]).toContainEqual(entry)
          if (now.has(name)) expect(entry).toEqual(now.get(name))
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('refuses what is not JSON', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (bytes) => void attempt(bytes)))
  })
})

it('the config is the sum of its entries', () => {
  const config: ServeConfig = parse({
    ...https,
    TCP: { ...https.TCP, 1: { TCPForward: 'a:1' } },
    AllowFunnel: { [site]: true },
    Services: { 'svc:a': { Tun: true }, 'svc:b': { Tun: true } },
  }).config
  expect([...entriesOf(config).keys()]).toEqual(['port 1', 'port 443', 'svc:a', 'svc:b'])
  expect(joinEntries(entriesOf(config).values())).toEqual(config)
})

it('reads a thousand handlers', () => {
  const Handlers = Object.fromEntries(
    Array.from({ length: 1000 }, (_, n) => [`/app-${n}/`, { Proxy: `10.0.0.9:${n + 1}` }]),
  )
  const { config } = parse({ TCP: { 443: { HTTPS: true } }, Web: { [site]: { Handlers } } })
  expect(Object.keys(config.Web?.[site]?.Handlers ?? {})).toHaveLength(1000)
})

it('the cost of a site with Funnel does not grow with their number', () => {
  const prepare = (count: number) => {
    const sites = Array.from({ length: count }, (_, index) => `a${index}.lab.ts.net:443`)
    const file = JSON.stringify({
      TCP: { 443: { HTTPS: true } },
      Web: Object.fromEntries(sites.map((name) => [name, proxy])),
      AllowFunnel: Object.fromEntries(sites.map((name) => [name, true])),
    })
    return () => parse(file)
  }
  expect(growth([200, 3200], prepare)).toBeLessThan(1.5)
})
