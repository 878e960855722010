import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { l7Ingress } from '../../../operator/l7-ingress/kind.ts'
import { ingress, ingressClass, service, settings, worldOf } from '../a-world.ts'

const ours = ingressClass('tailscale.com/ts-ingress')
const site = service('site')
const backend = (name: string, port: Readonly<Record<string, unknown>> = { number: 80 }) => ({
  service: { name, port },
})
const plan = (object: KubeObject, ...others: readonly KubeObject[]) =>
  l7Ingress.plan(object, worldOf(ours, object, ...others), settings)
const handler = (...args: Parameters<typeof plan>) => {
  const { Web = {} } = plan(...args).proxies!.serveConfig as {
    Web?: Record<string, { Handlers: Record<string, { Proxy: string }> }>
  }
  return Web['${TS_CERT_DOMAIN}:443']?.Handlers['/']?.Proxy
}

describe('a backend', () => {
  const to = (asked: Readonly<Record<string, unknown>>, spec = {}, annotations = {}) =>
    handler(ingress('web', { defaultBackend: backend('site', asked) }, { annotations }), service('site', spec))
  const ports = [
    { port: 80, name: 'http' },
    { port: 443, name: 'tls' },
    { port: 8443, name: 'https' },
    { port: 53, name: 'dns', protocol: 'UDP' },
  ]

  it.each([
    ['by number', { number: 80 }, {}, 'http://10.96.0.9:80/'],
    ['by name', { name: 'http' }, {}, 'http://10.96.0.9:80/'],
    ['with IPv6', { number: 80 }, { clusterIP: 'fd96::9' }, 'http://[fd96::9]:80/'],
    ['with both families: the first', { number: 80 }, { clusterIPs: ['10.96.0.9', 'fd96::9'] }, 'http://10.96.0.9:80/'],
    ['with HTTPS by its number', { number: 443 }, {}, 'https+insecure://10.96.0.9:443/'],
    ['with HTTPS by its name', { name: 'https' }, {}, 'https+insecure://10.96.0.9:8443/'],
    ['with HTTPS by its name, named by number', { number: 8443 }, {}, 'https+insecure://10.96.0.9:8443/'],
  ])('%s', (_what, asked, spec, expected) => expect(to(asked, { ports, ...spec })).toBe(expected))

  it.each([
    ['HTTPS', 'https://site.apps.svc.cluster.local:80/'],
    ['https+insecure', 'https+insecure://10.96.0.9:80/'],
    ['8443=HTTPS', 'http://10.96.0.9:80/'],
    ['HTTPS,80=HTTP', 'http://10.96.0.9:80/'],
    ['http=HTTPS+INSECURE', 'https+insecure://10.96.0.9:80/'],
  ])('with the protocol of annotation "%s"', (annotation, expected) => {
    expect(to({ number: 80 }, { ports }, { 'culvert/backend-protocol': annotation })).toBe(expected)
  })

  it('443 with HTTP by annotation', () => {
    expect(to({ number: 443 }, { ports }, { 'culvert/backend-protocol': '443=HTTP' })).toBe('http://10.96.0.9:443/')
  })

  it.each([
    [
      'no such Service',
      ingress('web', { defaultBackend: backend('no') }),
      'there is no Service "no" in namespace "apps"',
    ],
    ['another port', ingress('web', { defaultBackend: backend('site', { number: 81 }) }), 'has no TCP port "81"'],
    [
      'another name of a port',
      ingress('web', { defaultBackend: backend('site', { name: 'x' }) }),
      'has no TCP port "x"',
    ],
    ['a port of UDP', ingress('web', { defaultBackend: backend('dns', { number: 53 }) }), 'has no TCP port "53"'],
    ['no port at all', ingress('web', { defaultBackend: { service: { name: 'site' } } }), 'has no TCP port "0"'],
    ['a Service without ports', ingress('web', { defaultBackend: backend('none') }), 'has no TCP port "80"'],
    ['a headless Service', ingress('web', { defaultBackend: backend('headless') }), 'has no cluster IP'],
    ['an external name', ingress('web', { defaultBackend: backend('external') }), 'has no cluster IP'],
    [
      'not a Service',
      ingress('web', { defaultBackend: { resource: { kind: 'Bucket', name: 'b' } } }),
      'its backend is not a Service',
    ],
  ])('that is %s is reported, and nothing is served', (_what, object, problem) => {
    const others = [
      site,
      service('dns', { ports: [{ port: 53, protocol: 'UDP' }] }),
      service('none', { ports: undefined }),
      service('headless', { clusterIP: 'None' }),
      service('external', {
        type: 'ExternalName',
        clusterIP: undefined,
        clusterIPs: undefined,
        externalName: 'a.example',
      }),
    ]
    const { proxies, events } = plan(object, ...others)
    expect(events.map(({ reason, message }) => `${reason}: ${message}`)).toEqual([
      expect.stringMatching(new RegExp(`^InvalidIngressBackend: .*${problem}`)),
      'NoValidBackends: no path has a backend, so nothing is served',
    ])
    expect(proxies?.serveConfig).toEqual({})
  })
})
