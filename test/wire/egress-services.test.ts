import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type EgressServices, parseEgressServices } from '../../wire/egress-services.ts'

const parse = (document: unknown, before?: EgressServices): EgressServices =>
  parseEgressServices(Buffer.from(typeof document === 'string' ? document : JSON.stringify(document)), before)
/** A service's entry in the document. */
const entry = (matchPort: unknown = 10_000, change: object = {}): Record<string, unknown> => ({
  healthCheckEndpoint: 'http://a.b.svc.cluster.local:9002/healthz',
  tailnetTarget: { ip: '', fqdn: 'db.x.ts.net' },
  ports: [{ protocol: 'TCP', matchPort, targetPort: 5432 }],
  ...change,
})
const withPort = (change: object): object =>
  entry(0, { ports: [{ protocol: 'TCP', matchPort: 10_000, targetPort: 1, ...change }] })
const withTarget = (tailnetTarget: unknown): object => entry(10_000, { tailnetTarget })

describe('what is taken', () => {
  const target = { kind: 'name', name: 'db.x.ts.net.' }
  const port = { protocol: 'tcp', matchPort: 10_000, targetPort: 1 }
  it.each<[string, object, object]>([
    ['what an operator writes', entry(), { target, tailnetTarget: { ip: '', fqdn: 'db.x.ts.net' } }],
    [
      'names of fields in any case, the last of two alike, unknown ones',
      { TAILNETTARGET: { iP: '100.64.0.9', FQDN: null, more: 1 }, PORTS: 1, Ports: [], more: { more: [] } },
      {
        target: { kind: 'address', address: { family: 4, text: '100.64.0.9' } },
        tailnetTarget: { ip: '100.64.0.9', fqdn: '' },
        ports: [],
        healthCheckEndpoint: '',
      },
    ],
    ['UDP', withPort({ protocol: 'UDP' }), { ports: [{ ...port, protocol: 'udp' }] }],
    ['a protocol in any case', withPort({ protocol: 'Tcp' }), { ports: [{ ...port, spelling: 'Tcp' }] }],
    [
      'the highest port, and a number in another spelling',
      withPort({ matchPort: 65_535, targetPort: 1.0e3 }),
      { ports: [{ ...port, matchPort: 65_535, targetPort: 1000 }] },
    ],
    ['no ports', entry(1, { ports: [] }), { ports: [] }],
    ['null for no ports', entry(1, { ports: null }), { ports: [] }],
    [
      'an address before a name, which is then of no matter',
      withTarget({ ip: 'FD7A:115c::0:1', fqdn: '..' }),
      {
        target: { kind: 'address', address: { family: 6, text: 'fd7a:115c::1' } },
        tailnetTarget: { ip: 'FD7A:115c::0:1', fqdn: '..' },
      },
    ],
    [
      'an IPv4 address in an IPv6 one',
      withTarget({ ip: '::ffff:100.64.0.9' }),
      { target: { kind: 'address', address: { family: 4, text: '100.64.0.9' } } },
    ],
    [
      'a name in any form',
      withTarget({ fqdn: '.DB.X.ts.net.' }),
      { target, tailnetTarget: { ip: '', fqdn: '.DB.X.ts.net.' } },
    ],
    ['no health URL', entry(1, { healthCheckEndpoint: undefined }), { healthCheckEndpoint: '' }],
  ])('%s', (_what, value, expected) => {
    const { services, rejections } = parse({ one: value })
    expect(rejections).toEqual([])
    expect(services.get('one')).toMatchObject({ name: 'one', ...expected })
  })

  it('nothing', () => {
    expect(parse(' {} ')).toEqual({ services: new Map(), rejections: [] })
  })

  it('services in the order of their names', () => {
    const { services } = parse({ b: entry(1), a: entry(2), B: entry(3) })
    expect([...services.keys()]).toEqual(['B', 'a', 'b'])
  })

  it('one match port once for each protocol', () => {
    const udp = { protocol: 'UDP', matchPort: 10_000, targetPort: 53 }
    const both = entry(1, { ports: [{ ...udp, protocol: 'TCP' }, udp] })
    expect(parse({ one: both }).rejections).toEqual([])
    expect(parse({ one: entry(), two: entry(1, { ports: [udp] }) }).rejections).toEqual([])
  })
})

describe('what costs its service, and no other', () => {
  const port = 'is not a whole number from 1 to 65535'
  const name = 'is not the full name of a node or service'
  it.each<[string, unknown, string, string | RegExp]>([
    ['a service that is none', 5, '', '5 is not an object'],
    ['a list for a service', [], '', 'a list is not an object'],
    ['null for a service', null, '', 'it is missing: an object is needed'],
    ['no target', withTarget(undefined), 'tailnetTarget', 'it is missing: an object is needed'],
    ['a target that is none', withTarget('100.64.0.9'), 'tailnetTarget', '"100.64.0.9" is not an object'],
    ['neither address nor name', withTarget({ ip: '', fqdn: '' }), 'tailnetTarget', 'neither ip nor fqdn is set'],
    ['nothing in the target', withTarget({}), 'tailnetTarget', 'neither ip nor fqdn is set'],
    ['an address of another type', withTarget({ ip: {} }), 'tailnetTarget.ip', 'an object is not a text'],
    ['a malformed address', withTarget({ ip: '100.64.0.' }), 'tailnetTarget.ip', '"100.64.0." is not an IP address'],
    ['an address with a zone', withTarget({ ip: 'fe80::1%e' }), 'tailnetTarget.ip', /is not an IP address/],
    ['a network', withTarget({ ip: '100.64.0.0/10' }), 'tailnetTarget.ip', /is not an IP address/],
    ['a name of another type', withTarget({ fqdn: 1 }), 'tailnetTarget.fqdn', '1 is not a text'],
    ['a dot for a name', withTarget({ fqdn: '.' }), 'tailnetTarget.fqdn', `"." ${name}`],
    ['an empty label', withTarget({ fqdn: 'a..b' }), 'tailnetTarget.fqdn', `"a..b" ${name}`],
    ['a long label', withTarget({ fqdn: `${'a'.repeat(64)}.b` }), 'tailnetTarget.fqdn', /^"a{60}"… is not the full/],
    ['a line break in a name', withTarget({ fqdn: 'a\nb: 1' }), 'tailnetTarget.fqdn', `"a\\nb: 1" ${name}`],
    ['no ports', entry(1, { ports: undefined }), 'ports', 'it is missing: a list is needed'],
    ['ports that are none', entry(1, { ports: {} }), 'ports', 'an object is not a list'],
    ['a port that is none', entry(1, { ports: [80] }), 'ports[0]', '80 is not an object'],
    ['no protocol', withPort({ protocol: undefined }), 'ports[0].protocol', 'it is missing: TCP or UDP is needed'],
    ['an unknown protocol', withPort({ protocol: 'SCTP' }), 'ports[0].protocol', '"SCTP" is not TCP or UDP'],
    ['a protocol of another type', withPort({ protocol: 6 }), 'ports[0].protocol', '6 is not a text'],
    ['no match port', withPort({ matchPort: undefined }), 'ports[0].matchPort', /^it is missing: a whole number/],
    ['match port 0', withPort({ matchPort: 0 }), 'ports[0].matchPort', `0 ${port}`],
    ['match port 70000', withPort({ matchPort: 70_000 }), 'ports[0].matchPort', `70000 ${port}`],
    ['half a match port', withPort({ matchPort: 80.5 }), 'ports[0].matchPort', `80.5 ${port}`],
    ['a match port as text', withPort({ matchPort: '80' }), 'ports[0].matchPort', `"80" ${port}`],
    ['target port 0', withPort({ targetPort: 0 }), 'ports[0].targetPort', `0 ${port}`],
    ['no target port', withPort({ targetPort: null }), 'ports[0].targetPort', /^it is missing/],
    [
      'a match port twice',
      entry(1, { ports: [1, 2].map((targetPort) => ({ protocol: 'udp', matchPort: 7, targetPort })) }),
      'ports[1].matchPort',
      'UDP port 7 is there twice',
    ],
  ])('%s', (_what, value, field, reason) => {
    const { services, rejections } = parse({ good: entry(2), one: value })
    const expected = typeof reason === 'string' ? reason : (expect.stringMatching(reason) as string)
    expect(rejections).toEqual([{ entry: 'one', field, reason: expected }])
    expect([...services.keys()]).toEqual(['good'])
  })

  it('leaves it as it was, until its name is gone', () => {
    const before = parse({ good: entry(2), one: entry(1) })
    const bad = parse({ good: entry(3), one: withPort({ matchPort: 0 }) }, before)
    expect(bad.services.get('one')).toBe(before.services.get('one'))
    expect(bad.services.get('good')?.ports[0]?.matchPort).toBe(3)
    expect(bad.rejections).toMatchObject([{ entry: 'one' }])
    expect(parse({ good: entry(3) }, bad)).toMatchObject({ services: new Map([['good', {}]]), rejections: [] })
  })
})

it('gives what says the same as before as it was', () => {
  const before = parse({ one: entry(1), two: entry(2) })
  const { services } = parse({ one: entry(1), three: entry(3), two: entry(4) }, before)
  expect(services.get('one')).toBe(before.services.get('one'))
  expect(services.get('two')).toEqual(parse({ two: entry(4) }).services.get('two'))
})

it.each<[string, string, object]>([
  ['a line break', 'a\nb', { entry: '"a\\nb"', field: '' }],
  ['nothing', '', { entry: '""' }],
  ['a space', 'a b', { entry: '"a b"' }],
  ['a letter that looks like another', 'а', { entry: '"\\u0430"' }],
  ['254 characters', 'a'.repeat(254), { entry: `"${'a'.repeat(60)}"…` }],
])('refuses a service whose name is or has %s', (_what, name, expected) => {
  const { services, rejections } = parse({ [name]: entry() })
  expect(services.size).toBe(0)
  expect(rejections).toMatchObject([{ reason: 'its name is not 1 to 253 visible ASCII characters', ...expected }])
})

describe('names that objects have', () => {
  const named = `"tailnetTarget": {"fqdn": "a.b", "__proto__": {"ip": "1.2.3.4"}}, "ports": []`
  it('are names like others', () => {
    const { services, rejections } = parse(`{"__proto__": {${named}}, "constructor": {${named}}}`)
    expect(rejections).toEqual([])
    expect([...services.values()].map(({ name, tailnetTarget }) => [name, tailnetTarget.ip])).toEqual([
      ['__proto__', ''],
      ['constructor', ''],
    ])
    expect(Object.prototype).not.toHaveProperty('ip')
  })

  it('do not stand for what is missing', () => {
    const { rejections } = parse(`{"one": {"__proto__": {${named}}}}`)
    expect(rejections).toMatchObject([{ entry: 'one', reason: expect.stringMatching(/^it is missing/) as string }])
  })
})

describe('a health URL that is none', () => {
  it.each<[unknown, string]>([
    ['ftp://a', '"ftp://a"'],
    ['a.b:9002', '"a.b:9002"'],
    ['http://', '"http://"'],
    [7, '7'],
    [{}, 'an object'],
  ])('%j is reported, and its service is used', (healthCheckEndpoint, shown) => {
    const { services, rejections } = parse({ one: entry(1, { healthCheckEndpoint }) })
    expect(rejections).toEqual([
      { entry: 'one', field: 'healthCheckEndpoint', reason: `${shown} is not an http or https URL` },
    ])
    expect(services.get('one')).toMatchObject({ healthCheckEndpoint: '', ports: [{ matchPort: 1 }] })
  })

  it('leaves the one that was there, beside the ports that are new', () => {
    const before = parse({ one: entry(1) })
    const { services } = parse({ one: entry(2, { healthCheckEndpoint: 'x' }) }, before)
    expect(services.get('one')).toMatchObject({
      healthCheckEndpoint: 'http://a.b.svc.cluster.local:9002/healthz',
      ports: [{ matchPort: 2 }],
    })
  })
})

it.each<[string, string | Buffer, RegExp]>([
  [
    'half a file',
    JSON.stringify({ one: entry() }).slice(0, -3),
    /^it is not JSON, perhaps only half written: Expected .* at position \d+ /,
  ],
  ['comments', '{\n  // one\n}', /^it is not JSON, which has no comments: /],
  ['nothing', '', /^it is not JSON/],
  ['text', 'hello\u001b[2J', /^it is not JSON.*: Unexpected token 'h', "hello\\u001b\[2J" is not valid JSON$/],
  ['a list', '[]', /^it is not a JSON object$/],
  ['null', 'null', /^it is not a JSON object$/],
  ['a text', '"a"', /^it is not a JSON object$/],
  ['what is not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), /^it is not UTF-8$/],
])('refuses %s as a whole', (_what, document, message) => {
  expect(() => parseEgressServices(Buffer.from(document))).toThrow(
    expect.objectContaining({ code: 'settings', message: expect.stringMatching(message) as string }) as Error,
  )
})

it('gives services or refuses, however a document is damaged, and keeps what was', () => {
  const document = JSON.stringify({ a: entry(1), b: entry(2), c: withTarget({ ip: '100.64.0.9' }) })
  const before = parse(document)
  const part = fc.oneof(fc.string(), fc.constantFrom('"', '{', '}', '[', ']', ':', ',', '\\', '0', '1', '"a":', 'null'))
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(document.length), fc.nat(9), part), { maxLength: 3 }), (damages) => {
      let text = document
      for (const [at, gone, put] of damages) text = text.slice(0, at) + put + text.slice(at + gone)
      let names: string[]
      try {
        names = Object.keys(JSON.parse(text) as object)
      } catch {
        expect(() => parse(text, before)).toThrow(/^it is not JSON/)
        return
      }
      const { services, rejections } = parse(text, before)
      for (const name of names) if (before.services.has(name)) expect(services.has(name)).toBe(true)
      for (const { entry: told, field, reason } of rejections) expect(told + field + reason).toMatch(/^[ -~…]{1,500}$/)
    }),
    { numRuns: 3000 },
  )
})
