import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseEgressServices } from '../../wire/egress-services.ts'
import { parseIngressServices } from '../../wire/ingress-services.ts'
import { unpackText } from '../../wire/packed.ts'
import { parseEgressStatus, renderEgressStatus, renderIngressStatus } from '../../wire/services-status.ts'

const pod = { podIPv4: '10.88.1.2', podIPv6: 'fd88::2' }
const limit = 1024 * 1024

const egress = (document: object) =>
  [...parseEgressServices(Buffer.from(JSON.stringify(document))).services.values()].map((service) => ({
    service,
    addresses: [{ family: 4 as const, text: '100.64.0.2' }],
  }))
const ingress = (document: object) => [...parseIngressServices(Buffer.from(JSON.stringify(document))).services.values()]
const named = (fqdn: string, ports: object[] = []): object => ({ tailnetTarget: { ip: '', fqdn }, ports })

describe('the egress status has exactly the bytes that readers compare', () => {
  it.each<[string, Parameters<typeof renderEgressStatus>[0], string]>([
    ['nothing', { ...pod, services: [] }, '{"podIPv4":"10.88.1.2","podIPv6":"fd88::2","services":null}'],
    ['no IPv6', { podIPv4: '10.88.1.2', podIPv6: '', services: [] }, '{"podIPv4":"10.88.1.2","services":null}'],
    [
      'no IPv4',
      { podIPv4: '', podIPv6: 'fd88::2', services: [] },
      '{"podIPv4":"","podIPv6":"fd88::2","services":null}',
    ],
    [
      'a service without ports',
      { podIPv4: '', podIPv6: '', services: egress({ foo: named('foo.tailnetxyz.ts.net') }) },
      '{"podIPv4":"","services":{"foo":{"ports":[],"tailnetTargetIPs":["100.64.0.2"],' +
        '"tailnetTarget":{"ip":"","fqdn":"foo.tailnetxyz.ts.net"}}}}',
    ],
    [
      'services in order, ports and target as configured',
      {
        podIPv4: '10.88.1.2',
        podIPv6: '',
        services: [
          ...egress({ b: named('B.x.', [{ protocol: 'udp', targetPort: 53, matchPort: 10_001 }]) }),
          ...egress({
            a: {
              tailnetTarget: { fqdn: '<&>\u2028', ip: 'FD7A:115c::0:1' },
              ports: [
                { protocol: 'TCP', matchPort: 10_002, targetPort: 2 },
                { protocol: 'UDP', matchPort: 10_000, targetPort: 1 },
              ],
            },
          }).map(({ service }) => ({ service, addresses: [] })),
        ],
      },
      '{"podIPv4":"10.88.1.2","services":{' +
        '"a":{"ports":[{"protocol":"TCP","matchPort":10002,"targetPort":2},{"protocol":"UDP","matchPort":10000,"targetPort":1}],' +
        '"tailnetTargetIPs":null,"tailnetTarget":{"ip":"FD7A:115c::0:1","fqdn":"\\u003c\\u0026\\u003e\\u2028"}},' +
        '"b":{"ports":[{"protocol":"udp","matchPort":10001,"targetPort":53}],"tailnetTargetIPs":["100.64.0.2"],' +
        '"tailnetTarget":{"ip":"","fqdn":"B.x."}}}}',
    ],
  ])('%s', (_what, status, text) => {
    expect(renderEgressStatus(status, limit)).toEqual({ text, omitted: [] })
  })
})

describe('the ingress status has what was configured, byte for byte', () => {
  it.each<[string, Parameters<typeof renderIngressStatus>[0], string]>([
    ['nothing', { ...pod, services: [] }, '{"configs":{},"podIPv4":"10.88.1.2","podIPv6":"fd88::2"}'],
    [
      'families, spellings and an empty address',
      {
        podIPv4: '10.88.1.2',
        podIPv6: '',
        services: ingress({
          'svc:b': { IPv6Mapping: { ClusterIP: 'FD96::0:7', TailscaleServiceIP: '' } },
          'svc:a&b': {
            ipv6mapping: { TailscaleServiceIP: 'fd7a:115C::9', ClusterIP: 'fd96::8', more: 1 },
            IPv4Mapping: { TailscaleServiceIP: '100.64.0.9', ClusterIP: '10.96.0.7' },
          },
        }),
      },
      '{"configs":{"svc:a\\u0026b":{"IPv4Mapping":{"TailscaleServiceIP":"100.64.0.9","ClusterIP":"10.96.0.7"},' +
        '"IPv6Mapping":{"TailscaleServiceIP":"fd7a:115C::9","ClusterIP":"fd96::8"}},' +
        '"svc:b":{"IPv6Mapping":{"TailscaleServiceIP":"","ClusterIP":"FD96::0:7"}}},"podIPv4":"10.88.1.2","podIPv6":""}',
    ],
  ])('%s', (_what, status, text) => {
    expect(renderIngressStatus(status, limit)).toEqual({ text, omitted: [] })
  })
})

/** A name that cannot be compressed much. */
const random = Array.from({ length: 4 }, (_, index) =>
  createHash('sha256').update(String(index)).digest('base64url'),
).join('.')

it('lists all services compressed, if they do not fit otherwise', () => {
  const services = Array.from({ length: 50 }, (_, index) => egress({ [`s${index}`]: named(`s${index}.x.y`) })).flat()
  const { text: plain } = renderEgressStatus({ ...pod, services }, limit)
  const { text, omitted } = renderEgressStatus({ ...pod, services }, plain.length - 1)
  expect(omitted).toEqual([])
  expect(text).toMatch(/^gzip:/)
  expect(text.length).toBeLessThan(plain.length / 3)
  expect(parseEgressStatus(text)).toEqual(parseEgressStatus(plain))
  expect(parseEgressStatus(`${text.slice(0, 40)}…`)).toBeUndefined()
})

describe('a size limit', () => {
  const one = (name: string, fqdn = 'x.y') => egress({ [name]: named(fqdn) })
  it('omits services that do not fit, and lists those that do', () => {
    const services = [...one('a'), ...one('b', random), ...one('c')]
    const { text } = renderEgressStatus({ ...pod, services: [...one('a'), ...one('c')] }, limit)
    expect(renderEgressStatus({ ...pod, services }, text.length)).toEqual({ text, omitted: ['b'] })
    expect(renderEgressStatus({ ...pod, services }, text.length - 1).omitted).toEqual(['b', 'c'])
  })

  it('counts bytes', () => {
    const services = egress({ a: { tailnetTarget: { ip: '100.64.0.2', fqdn: 'ü'.repeat(100) }, ports: [] } })
    const { text } = renderEgressStatus({ ...pod, services }, limit)
    expect(renderEgressStatus({ ...pod, services }, Buffer.byteLength(text)).text).toBe(text)
    expect(renderEgressStatus({ ...pod, services }, Buffer.byteLength(text) - 1).text).not.toBe(text)
  })
})

/** A document of either kind, by service name. */
const names = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((unit) => String.fromCodePoint(unit)),
  minLength: 1,
  maxLength: 253,
})
const ports = fc.uniqueArray(
  fc.record({
    protocol: fc.constantFrom('TCP', 'UDP', 'tcp'),
    matchPort: fc.integer({ min: 1, max: 65_535 }),
    targetPort: fc.integer({ min: 1, max: 65_535 }),
  }),
  { maxLength: 5, selector: ({ matchPort }) => matchPort },
)
const egressDocument = fc.dictionary(
  names,
  fc.record({ tailnetTarget: fc.record({ ip: fc.ipV4(), fqdn: fc.string() }), ports }),
  { maxKeys: 20 },
)
const ingressDocument = fc.dictionary(
  names,
  fc.record({
    IPv4Mapping: fc.record({ TailscaleServiceIP: fc.oneof(fc.constant(''), fc.ipV4()), ClusterIP: fc.ipV4() }),
  }),
  { maxKeys: 20 },
)

it('lists each egress service as configured, or reports it as omitted, within the limit', () => {
  fc.assert(
    fc.property(egressDocument, fc.integer({ min: 100, max: 3000 }), (document, limitBytes) => {
      const services = egress(document)
      const { text, omitted } = renderEgressStatus({ ...pod, services }, limitBytes)
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(limitBytes)
      const listed = (JSON.parse(unpackText(text) ?? '') as { services: Record<string, unknown> | null }).services ?? {}
      expect([...Object.keys(listed), ...omitted].toSorted()).toEqual(services.map(({ service }) => service.name))
      for (const [name, value] of Object.entries(listed)) {
        expect(value).toEqual({ ...(document[name] as object), tailnetTargetIPs: ['100.64.0.2'] })
      }
    }),
  )
})

it('lists each ingress service as configured, or reports it as omitted, within the limit', () => {
  fc.assert(
    fc.property(ingressDocument, fc.integer({ min: 100, max: 3000 }), (document, limitBytes) => {
      const services = ingress(document)
      const { text, omitted } = renderIngressStatus({ ...pod, services }, limitBytes)
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(limitBytes)
      const listed = (JSON.parse(text) as { configs: Record<string, unknown> }).configs
      expect([...Object.keys(listed), ...omitted].toSorted()).toEqual(services.map(({ name }) => name))
      for (const [name, value] of Object.entries(listed)) expect(value).toEqual(document[name])
    }),
  )
})
