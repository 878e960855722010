import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseEgressStatus, parseIngressStatus } from '../../wire/services-status.ts'

describe('the egress status, as upstream’s agent writes it', () => {
  it.each<[string, string, object]>([
    ['nothing', '{"podIPv4":"10.88.1.2","services":null}', { podIPv4: '10.88.1.2', podIPv6: '', services: [] }],
    ['no services at all', '{"podIPv4":""}', { podIPv4: '', podIPv6: '', services: [] }],
    [
      'a service, and one whose target is not known',
      '{"podIPv4":"","podIPv6":"fd88::2","services":{"foo":{"ports":[{"protocol":"tcp","matchPort":1,"targetPort":2}],' +
        '"tailnetTargetIPs":["100.64.0.2","fd7a:115c:a1e0::2"],"tailnetTarget":{"ip":"","fqdn":"foo.x.ts.net"}},' +
        '"bar":{"ports":[],"tailnetTargetIPs":null,"tailnetTarget":{"ip":"100.64.0.3","fqdn":""}}}}',
      {
        podIPv4: '',
        podIPv6: 'fd88::2',
        services: [
          { service: { name: 'bar', ports: [], tailnetTarget: { ip: '100.64.0.3', fqdn: '' } }, addresses: [] },
          {
            service: {
              name: 'foo',
              ports: [{ protocol: 'tcp', matchPort: 1, targetPort: 2, spelling: 'tcp' }],
              tailnetTarget: { ip: '', fqdn: 'foo.x.ts.net' },
            },
            addresses: [
              { family: 4, text: '100.64.0.2' },
              { family: 6, text: 'fd7a:115c:a1e0::2' },
            ],
          },
        ],
      },
    ],
  ])('%s', (_what, text, status) => {
    expect(parseEgressStatus(text)).toEqual(status)
  })
})

describe('services that cannot be read are left out, and the others are listed', () => {
  const target = { ip: '100.64.0.3', fqdn: '' }
  const good = { ports: [], tailnetTargetIPs: ['100.64.0.3'], tailnetTarget: target }
  it.each<[string, unknown]>([
    ['a number for a service', 7],
    ['no ports', { ...good, ports: undefined }],
    ['a port 0', { ...good, ports: [{ protocol: 'TCP', matchPort: 0, targetPort: 1 }] }],
    ['an unknown protocol', { ...good, ports: [{ protocol: 'SCTP', matchPort: 1, targetPort: 1 }] }],
    ['an invalid address', { ...good, tailnetTargetIPs: ['100.64.0.3', '100.64'] }],
    ['a string for the addresses', { ...good, tailnetTargetIPs: '100.64.0.3' }],
    ['no target', { ...good, tailnetTarget: null }],
  ])('%s', (_what, bad) => {
    const status = parseEgressStatus(JSON.stringify({ podIPv4: '10.88.1.2', services: { bad, good } }))
    expect(status?.services.map(({ service }) => service.name)).toEqual(['good'])
  })

  it('the ingress status', () => {
    const mapping = { TailscaleServiceIP: '100.64.0.9', ClusterIP: '10.96.0.7' }
    const configs = {
      'svc:good': { IPv4Mapping: mapping },
      'svc:none': {},
      'svc:bad': { IPv4Mapping: { ...mapping, ClusterIP: 'x' } },
    }
    const status = parseIngressStatus(JSON.stringify({ configs, podIPv4: '10.88.1.2', podIPv6: '' }))
    expect(status).toMatchObject({ podIPv4: '10.88.1.2', podIPv6: '', services: [{ name: 'svc:good' }] })
  })
})

describe.each([
  ['egress', parseEgressStatus],
  ['ingress', parseIngressStatus],
])('what is not a status of %s', (_kind, parse) => {
  it.each(['', '{', 'null', '7', '[]', '"x"', '{"podIPv4":7}', '{"podIPv6":[]}', '{"services":7,"configs":7}'])(
    '%j',
    (text) => {
      expect(parse(text)).toBeUndefined()
    },
  )

  it('never throws', () => {
    const part = fc.constantFrom('services', 'configs', 'ports', 'tailnetTarget', 'tailnetTargetIPs', 'IPv4Mapping')
    const { document } = fc.letrec((tie) => ({
      document: fc.oneof(
        { depthSize: 'small' },
        fc.jsonValue({ maxDepth: 1 }),
        fc.dictionary(fc.oneof(part, fc.string()), tie('document'), { maxKeys: 4 }),
      ),
    }))
    fc.assert(fc.property(document, (value) => void parse(JSON.stringify(value))))
  })
})
