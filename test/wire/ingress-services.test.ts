import { describe, expect, it } from 'vitest'
import { type IngressServices, parseIngressServices } from '../../wire/ingress-services.ts'

const parse = (document: object, before?: IngressServices): IngressServices =>
  parseIngressServices(Buffer.from(JSON.stringify(document)), before)
const mapping = (TailscaleServiceIP: unknown, ClusterIP: unknown): object => ({ TailscaleServiceIP, ClusterIP })
const four = (ip: unknown, backend: unknown = '10.96.0.7'): object => ({ IPv4Mapping: mapping(ip, backend) })
const six = (ip: unknown, backend: unknown = 'fd96::7'): object => ({ IPv6Mapping: mapping(ip, backend) })
const vip6 = 'fd7a:115c:a1e0::9'

describe('accepts', () => {
  const ipv4 = { address: { family: 4, text: '100.64.0.9' }, backend: { family: 4, text: '10.96.0.7' } }
  const ipv6 = { address: { family: 6, text: vip6 }, backend: { family: 6, text: 'fd96::7' } }
  it.each<[string, object, object]>([
    ['IPv4', four('100.64.0.9'), { 4: { ...ipv4, configured: mapping('100.64.0.9', '10.96.0.7') } }],
    ['IPv6', six(vip6), { 6: { ...ipv6, configured: mapping(vip6, 'fd96::7') } }],
    ['both', { ...four('100.64.0.9'), ...six(vip6) }, { 4: ipv4, 6: ipv6 }],
    ['null for a family', { ...four('100.64.0.9'), IPv6Mapping: null }, { 4: ipv4 }],
    ['no address of the Tailscale Service', four(''), { 4: { ...ipv4, address: undefined } }],
    [
      'an address in another spelling, which is kept beside it',
      six('FD7A:115c:a1e0:0::9', 'FD96::0007'),
      { 6: { ...ipv6, configured: mapping('FD7A:115c:a1e0:0::9', 'FD96::0007') } },
    ],
    [
      'names of fields in any case, and unknown ones',
      { ipv4mapping: { tailscaleserviceip: '100.64.0.9', CLUSTERIP: '10.96.0.7', more: 1 }, more: {} },
      { 4: { ...ipv4, configured: mapping('100.64.0.9', '10.96.0.7') } },
    ],
  ])('%s', (_what, value, mappings) => {
    const { services, rejections } = parse({ 'svc:a': value })
    expect(rejections).toEqual([])
    expect(services.get('svc:a')?.name).toBe('svc:a')
    expect(services.get('svc:a')?.mappings).toMatchObject(mappings)
    expect(Object.keys(services.get('svc:a')?.mappings ?? {})).toEqual(Object.keys(mappings))
  })
})

describe('rejects only the service that has', () => {
  const service4 = 'IPv4Mapping.TailscaleServiceIP'
  const cluster4 = 'IPv4Mapping.ClusterIP'
  it.each<[string, unknown, string, string]>([
    ['a string for a service', 'x', '', '"x" is not an object'],
    ['neither family', {}, '', 'neither IPv4Mapping nor IPv6Mapping is set'],
    ['a list for a mapping', { IPv4Mapping: [] }, 'IPv4Mapping', 'a list is not an object'],
    ['a malformed address', four('100.64.0'), service4, '"100.64.0" is not an IPv4 address'],
    ['an address of the other family', four(vip6), service4, `"${vip6}" is not an IPv4 address`],
    [
      'an IPv4 address in an IPv6 one',
      six('::ffff:1.2.3.4'),
      'IPv6Mapping.TailscaleServiceIP',
      '"::ffff:1.2.3.4" is not an IPv6 address',
    ],
    ['an address of another type', four(7), service4, '7 is not a text'],
    ['no address', four(undefined), service4, 'it is missing: an IPv4 address, or an empty text for none is needed'],
    ['a backend of the other family', four('', 'fd96::7'), cluster4, '"fd96::7" is not an IPv4 address'],
    ['a backend without an address', four('', 'None'), cluster4, '"None" is not an IPv4 address'],
    ['an empty backend', four('', ''), cluster4, '"" is not an IPv4 address'],
    ['no backend', four('', null), cluster4, 'it is missing: an IPv4 address is needed'],
    [
      'one bad family beside a good one',
      { ...four('100.64.0.9'), ...six('x') },
      'IPv6Mapping.TailscaleServiceIP',
      '"x" is not an IPv6 address',
    ],
    [
      'an address of another service',
      six(vip6.toUpperCase()),
      'IPv6Mapping.TailscaleServiceIP',
      `the address ${vip6} belongs to svc:a`,
    ],
  ])('%s', (_what, value, field, reason) => {
    const { services, rejections } = parse({ 'svc:a': six(vip6), 'svc:b': value })
    expect(rejections).toEqual([{ entry: 'svc:b', field, reason }])
    expect([...services.keys()]).toEqual(['svc:a'])
  })

  it('keeps the last good version', () => {
    const before = parse({ 'svc:a': four('100.64.0.9') })
    const after = parse({ 'svc:a': four('100.64.0.9', 'x'), 'svc:b': four('100.64.0.9') }, before)
    expect(after.services).toEqual(before.services)
    expect(after.rejections.map(({ entry, field }) => [entry, field])).toEqual([
      ['svc:a', cluster4],
      ['svc:b', service4],
    ])
  })
})

it('any number of services may lack an address, and share a backend', () => {
  const { services, rejections } = parse({ 'svc:a': four(''), 'svc:b': four(''), 'svc:c': four('100.64.0.9') })
  expect(services.size).toBe(3)
  expect(rejections).toEqual([])
})
