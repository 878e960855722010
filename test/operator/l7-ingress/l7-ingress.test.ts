import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { l7Ingress } from '../../../operator/l7-ingress/kind.ts'
import { ingress, ingressClass, service, settings, worldOf } from '../a-world.ts'

const ours = ingressClass('tailscale.com/ts-ingress')
const tls = [{ hosts: ['app.example.com'] }]
const backend = (name: string, port: Readonly<Record<string, unknown>> = { number: 80 }) => ({
  service: { name, port },
})
const wanted = { defaultBackend: backend('site'), tls }
const web = ingress('web', wanted)
const site = service('site')

const annotated = (annotations: Readonly<Record<string, string>>) => ingress('web', wanted, { annotations })
const plan = (object: KubeObject, ...others: readonly KubeObject[]) =>
  l7Ingress.plan(object, worldOf(ours, object, ...others), settings)
const proxies = (...args: Parameters<typeof plan>) => plan(...args).proxies!
const events = (...args: Parameters<typeof plan>) =>
  plan(...args).events.map(({ reason, message }) => `${reason}: ${message}`)

describe('an Ingress is ours', () => {
  it.each([
    ['with the class', { ingressClassName: 'tailscale' }, {}, true],
    ['not with another class', { ingressClassName: 'nginx' }, {}, false],
    ['not without one', { ingressClassName: undefined }, {}, false],
    ['not with a group', {}, { 'tailscale.com/proxy-group': 'pg' }, false],
    ['with an empty name of a group', {}, { 'tailscale.com/proxy-group': '' }, true],
  ])('%s', (_what, spec, annotations, expected) => {
    expect(l7Ingress.claims(ingress('web', spec, { annotations }), worldOf(), settings)).toBe(expected)
  })

  it('and a warning tells that its class does not exist, or belongs to somebody else', () => {
    const told = (...others: readonly KubeObject[]) =>
      l7Ingress.plan(web, worldOf(web, site, ...others), settings).events
    expect(told(ours)).toEqual([])
    expect(told()).toMatchObject([{ type: 'Warning', message: expect.stringContaining('does not exist') as string }])
    expect(told(ingressClass('nginx.org/x'))).toMatchObject([
      { message: expect.stringContaining('"nginx.org/x"') as string },
    ])
  })
})

describe('the hostname', () => {
  it.each([
    ['is the first label of the first host', { tls: [{ hosts: ['app.example.com', 'b'] }, { hosts: ['c'] }] }, 'app'],
    ['is a host without a domain', { tls: [{ hosts: ['app'] }] }, 'app'],
    ['has namespace and name without a host', { tls: [{}] }, 'apps-web-ingress'],
    ['has namespace and name without TLS', {}, 'apps-web-ingress'],
  ])('%s', (_what, spec, expected) => expect(proxies(ingress('web', spec)).hostnames).toEqual([expected]))

  it.each([
    ['a wildcard', ingress('web', { tls: [{ hosts: ['*.example.com'] }] }), '"*"'],
    ['a long name of the Ingress', ingress('w'.repeat(60)), 'www'],
  ])('cannot be %s', (_what, object, name) => {
    expect(() => plan(object)).toThrow(expect.objectContaining({ reason: 'InvalidIngressConfiguration' }))
    expect(() => plan(object)).toThrow(name)
  })

  it('is told to be wanted by others, who cannot share the node', () => {
    const exposed = (namespace: string) =>
      service('s', {}, { namespace, annotations: { 'tailscale.com/expose': 'true', 'tailscale.com/hostname': 'APP' } })
    const twin = ingress('twin', wanted, { namespace: 'far', uid: 'twin' })
    expect(events(web, site, twin, exposed('far'), exposed('apps'))).toEqual([
      'NameNotUnique: the name "app" is also asked for by Ingress "far/twin", Service "far/s": the tailnet calls one of the nodes "app-1"',
    ])
  })

  it('is only one: other hosts cause a warning', () => {
    expect(events(ingress('web', { defaultBackend: backend('site'), tls: [{ hosts: ['a', 'b'] }] }), site)).toEqual([
      'InvalidIngressConfiguration: the node has one name, that of the first host in spec.tls: "a"; others are ignored',
    ])
  })
})

describe('the serve config', () => {
  const at = (port: number) => `\${TS_CERT_DOMAIN}:${port}`
  const proxied = { [at(443)]: { Handlers: { '/': { Proxy: 'http://10.96.0.9:80/' } } } }
  const redirected = { [at(80)]: { Handlers: { '/': { Redirect: '301:https://${HOST}${REQUEST_URI}' } } } }
  const secure = { '443': { HTTPS: true } }

  it.each([
    ['has HTTPS', {}, { TCP: secure, Web: proxied }],
    [
      'redirects HTTP',
      { 'tailscale.com/http-redirect': 'true' },
      { TCP: { ...secure, '80': { HTTP: true } }, Web: { ...proxied, ...redirected } },
    ],
    [
      'is open to the internet',
      { 'tailscale.com/funnel': 'true' },
      { TCP: secure, Web: proxied, AllowFunnel: { [at(443)]: true } },
    ],
    [
      'redirects the internet, too',
      { 'tailscale.com/funnel': 'true', 'tailscale.com/http-redirect': 'true' },
      {
        TCP: { ...secure, '80': { HTTP: true } },
        Web: { ...proxied, ...redirected },
        AllowFunnel: { [at(443)]: true, [at(80)]: true },
      },
    ],
    [
      'ignores other texts of switches',
      { 'tailscale.com/funnel': 'yes', 'tailscale.com/http-redirect': '1' },
      { TCP: secure, Web: proxied },
    ],
  ])('%s', (_what, annotations, expected) =>
    expect(proxies(annotated(annotations), site).serveConfig).toEqual(expected),
  )

  it('is empty without a backend, whatever the annotations', () => {
    const all = { 'tailscale.com/funnel': 'true', 'tailscale.com/http-redirect': 'true' }
    expect(proxies(annotated(all)).serveConfig).toEqual({})
  })

  it('has a thousand rules, and is refused when the proxy cannot keep it', () => {
    const of = (count: number) => {
      const paths = Array.from({ length: count }, (_, index) => ({ path: `/${index}`, backend: backend('site') }))
      return ingress(
        'web',
        { rules: [{ http: { paths } }] },
        { annotations: { 'tailscale.com/http-redirect': 'true' } },
      )
    }
    expect(
      Object.keys(JSON.parse(JSON.stringify(proxies(of(1000), site).serveConfig)).Web[at(443)].Handlers),
    ).toHaveLength(1000)
    expect(() => plan(of(10_000), site)).toThrow(/10000 paths .* can keep 400000/)
  })
})

describe('the proxy', () => {
  it('needs no privileges', () => {
    expect(
      proxies(annotated({ 'tailscale.com/tags': 'tag:a, tag:b', 'tailscale.com/proxy-class': 'prod' }), site),
    ).toEqual({
      type: 'ingress',
      app: 'k8s-operator-ingress-resource',
      hostnames: ['app'],
      tags: ['tag:a', 'tag:b'],
      mode: 'userspace',
      variables: [{ name: 'CULVERT_REQUEST_CERTIFICATE', value: 'true' }],
      device: {},
      serveConfig: expect.anything() as object,
      proxyClass: 'prod',
      metrics: 'ingress_resource',
      ownOptions: [],
    })
  })

  it('forwards cluster traffic in the kernel, and without metrics, which would be on the same address', () => {
    const key = 'tailscale.com/experimental-forward-cluster-traffic-via-ingress'
    expect(proxies(annotated({ [key]: 'true' }), site)).toMatchObject({
      mode: 'kernel',
      metrics: undefined,
      variables: [
        { name: 'EXPERIMENTAL_ALLOW_PROXYING_CLUSTER_TRAFFIC_VIA_INGRESS', value: 'true' },
        { name: 'TS_SERVE_ALLOW_ALL_INTERFACES', value: 'true' },
        { name: 'CULVERT_REQUEST_CERTIFICATE', value: 'true' },
      ],
    })
  })

  it('cannot have malformed tags', () => {
    expect(() => plan(annotated({ 'tailscale.com/tags': 'web' }), site)).toThrow(/tailscale.com\/tags/)
  })

  it('has no plain endpoint, which is said', () => {
    expect(events(annotated({ 'tailscale.com/http-endpoint': 'enabled' }), site)).toEqual([
      expect.stringMatching(
        /^InvalidIngressConfiguration: .*http-endpoint has no effect: it is for Ingresses of a ProxyGroup/,
      ),
    ])
  })
})
