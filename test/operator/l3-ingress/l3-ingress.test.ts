import { describe, expect, it, test } from 'vitest'
import type { Seen } from '../../../operator/kind.ts'
import { l3Ingress } from '../../../operator/l3-ingress/l3-ingress.ts'
import type { Device } from '../../../operator/proxy/request.ts'
import { service, settings, worldOf } from '../a-world.ts'

type Annotations = Readonly<Record<string, string>>
type Spec = Readonly<Record<string, unknown>>

const expose = { 'tailscale.com/expose': 'true' }
const hostname = { 'tailscale.com/hostname': 'db' }
const both = { clusterIPs: ['10.96.0.9', 'fd00:96::9'] }
const headless = { clusterIP: 'None', clusterIPs: ['None'] }
const external = { type: 'ExternalName', externalName: 'db.example.com', clusterIP: undefined, clusterIPs: undefined }
const balancer = { type: 'LoadBalancer', loadBalancerClass: 'tailscale' }
const made = (spec: Spec, annotations: Annotations = expose) => service('db', spec, { annotations })

test.each<[string, Spec, Annotations, boolean, boolean]>([
  ['that is exposed', {}, expose, false, true],
  ['that is exposed otherwise', {}, { 'tailscale.com/expose': 'yes' }, false, false],
  ['with the class', balancer, {}, false, true],
  ['with another class', { ...balancer, loadBalancerClass: 'other' }, {}, true, false],
  ['without a class', { type: 'LoadBalancer' }, {}, false, false],
  ['without a class, where ours is the default', { type: 'LoadBalancer' }, {}, true, true],
  ['that has no cluster IP yet', { clusterIP: '', clusterIPs: undefined }, expose, false, false],
  ['that is headless', headless, expose, false, true],
  ['that names another host', external, expose, false, true],
  ['that names another host without being exposed', external, {}, false, false],
  ['of a group', balancer, { ...expose, 'tailscale.com/proxy-group': 'group' }, false, false],
  ['with an empty name of a group', balancer, { ...expose, 'tailscale.com/proxy-group': '' }, false, false],
])('a Service %s', (_what, spec, annotations, isDefaultLoadBalancer, claimed) => {
  expect(l3Ingress.claims(made(spec, annotations), worldOf(), { ...settings, isDefaultLoadBalancer })).toBe(claimed)
})

const restricted = worldOf({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'tailscale', labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
})
const plan = (spec: Spec = {}, annotations: Annotations = {}, world = worldOf()) =>
  l3Ingress.plan(made(spec, { ...expose, ...annotations }), world, settings)
const variables = (...parameters: Parameters<typeof plan>): readonly string[] =>
  plan(...parameters).proxies!.variables.map(({ name, value }) => `${name}=${value}`)
const messages = (...parameters: Parameters<typeof plan>): readonly string[] =>
  plan(...parameters).events.map(({ message }) => message)

const ports = [
  { port: 443, targetPort: 'https' },
  { port: 53, protocol: 'UDP' },
]
const unprivileged = { 'culvert/unprivileged': 'true' }

it('names other Services, of any namespace and use, that ask for the same name', () => {
  const others = [
    service('a', {}, { annotations: { ...expose, 'tailscale.com/hostname': 'DB' }, namespace: 'far' }),
    service('b', {}, { annotations: { ...hostname, 'tailscale.com/tailnet-ip': '100.64.0.9' } }),
    service('not-exposed', {}, { annotations: hostname }),
    service('of-a-group', {}, { annotations: { ...expose, ...hostname, 'tailscale.com/proxy-group': 'g' } }),
  ]
  expect(messages({}, hostname, worldOf(made({}, { ...expose, ...hostname }), ...others))).toEqual([
    'the name "db" is also asked for by Service "far/a", Service "apps/b": the tailnet calls one of the nodes "db-1"',
  ])
})

describe('the proxy of a Service', () => {
  it.each<[string, Spec, Annotations, readonly string[]]>([
    ['leads to its cluster IP and its ports', {}, {}, ['TS_DEST_IP=10.96.0.9', 'CULVERT_DEST_PORTS=tcp/80']],
    [
      'leads to both of its cluster IPs, which know the ports of Pods',
      { ...both, ports },
      {},
      ['TS_DEST_IP=10.96.0.9,fd00:96::9', 'CULVERT_DEST_PORTS=tcp/443,udp/53'],
    ],
    [
      'leads to the Pods of a headless one, at their ports',
      {
        ...headless,
        ports: [
          { port: 80, targetPort: 8080 },
          { port: 53, protocol: 'UDP' },
        ],
      },
      {},
      ['TS_EXPERIMENTAL_DEST_DNS_NAME=db.apps.svc.cluster.local', 'CULVERT_DEST_PORTS=tcp/80:8080,udp/53'],
    ],
    [
      'leads to all ports of the Pods of one without ports',
      { ...headless, ports: undefined },
      {},
      ['TS_EXPERIMENTAL_DEST_DNS_NAME=db.apps.svc.cluster.local'],
    ],
    ['leads to another host', { ...external, ports: undefined }, {}, ['TS_EXPERIMENTAL_DEST_DNS_NAME=db.example.com']],
    [
      'leads to the same ports of another host',
      { ...external, ports: [{ port: 5432, targetPort: 1 }] },
      {},
      ['TS_EXPERIMENTAL_DEST_DNS_NAME=db.example.com', 'CULVERT_DEST_PORTS=tcp/5432'],
    ],
    [
      'tells backends the address of clients',
      {},
      { 'culvert/proxy-protocol': '2' },
      ['TS_DEST_IP=10.96.0.9', 'CULVERT_DEST_PORTS=tcp/80', 'CULVERT_PROXY_PROTOCOL=2'],
    ],
  ])('%s', (_what, spec, annotations, expected) => expect(variables(spec, annotations)).toEqual(expected))

  it('has the hostname, tags and class that are asked for', () => {
    const asked = { ...hostname, 'tailscale.com/tags': 'tag:a, tag:b', 'tailscale.com/proxy-class': 'fast' }
    expect(plan({}, asked).proxies).toMatchObject({
      type: 'svc',
      app: 'k8s-operator-ingress-proxy',
      hostnames: ['db'],
      tags: ['tag:a', 'tag:b'],
      mode: 'kernel',
      proxyClass: 'fast',
      ownOptions: [],
    })
    expect(plan().proxies).toMatchObject({ hostnames: ['apps-db'], tags: [], proxyClass: undefined })
  })

  it('needs no privileges if that is asked for, or if Pod Security allows none', () => {
    const asked = plan({}, unprivileged)
    expect(asked.proxies).toMatchObject({
      mode: 'userspace',
      ownOptions: [{ setBy: 'annotation culvert/unprivileged', isEssential: true }],
    })
    expect(asked.events).toEqual([])
    expect(plan({}, {}, restricted).proxies).toMatchObject({ mode: 'userspace', ownOptions: [{ isEssential: true }] })
    expect(messages({}, {}, restricted)).toEqual([
      'the proxy forwards only the listed ports and no ICMP, because of the Pod Security level restricted of namespace "tailscale"',
    ])
    // Then it is refused, which is what was asked for.
    expect(plan({}, { 'culvert/unprivileged': 'false' }, restricted).proxies).toMatchObject({ mode: 'kernel' })
  })

  it('leaves out ports that cannot be forwarded, and says why', () => {
    const some = [
      { port: 80, targetPort: 'web' },
      { port: 1, protocol: 'SCTP' },
      { port: 81, targetPort: 81 },
    ]
    expect(variables({ ...headless, ports: some })).toContain('CULVERT_DEST_PORTS=tcp/81')
    expect(messages({ ...headless, ports: some })).toEqual([
      'not forwarded: tcp/80: only Pods know their port "web", and a headless Service needs its number as targetPort; sctp/1: only TCP and UDP can be forwarded',
    ])
  })

  it('with options that only Culvert’s agent has says so', () => {
    const options = (spec: Spec, annotations: Annotations) => plan(spec, annotations).proxies!.ownOptions
    expect(options({}, { 'culvert/proxy-protocol': '1' })).toEqual([
      { setBy: 'annotation culvert/proxy-protocol', isEssential: true },
    ])
    expect(options({ ...headless, ports: [{ port: 80, targetPort: 8080 }] }, {})).toEqual([
      { setBy: 'a targetPort of a headless Service that differs from its port' },
    ])
  })
})

test.each<[string, Spec, Annotations, string]>([
  ['a hostname that is none', {}, { 'tailscale.com/hostname': 'a_b' }, 'tailscale.com/hostname'],
  ['tags that are none', {}, { 'tailscale.com/tags': 'k8s' }, 'tailscale.com/tags'],
  ['a version of the PROXY protocol that is none', {}, { 'culvert/proxy-protocol': '3' }, 'culvert/proxy-protocol'],
  ['no privileges and no ports', { ...headless, ports: [] }, unprivileged, 'annotation culvert/unprivileged needs one'],
  ['the PROXY protocol and no ports', { ...external, ports: [] }, { 'culvert/proxy-protocol': '1' }, 'needs one'],
  ['no port but those that cannot be forwarded', { ports: [{ port: 1, protocol: 'SCTP' }] }, {}, 'sctp/1'],
])('a Service with %s is refused', (_what, spec, annotations, text) => {
  expect(() => plan(spec, annotations)).toThrow(text)
})

const device: Device = {
  ordinal: 0,
  id: 'n1',
  fqdn: 'db.tail.ts.net',
  addresses: ['100.64.0.9', 'fd7a:115c:a1e0::9'],
  httpsEndpoint: undefined,
  isCurrent: true,
  isReady: true,
}
const report = (spec: Spec, seen: Partial<Seen> = {}, annotations: Annotations = {}) =>
  l3Ingress.report(
    made(spec, annotations),
    { devices: [device], name: 'ts-db-1', refused: undefined, ...seen },
    worldOf(),
    settings,
  )

describe('the status of a Service', () => {
  const name = { hostname: 'db.tail.ts.net' }
  const [four, six] = [{ ip: '100.64.0.9' }, { ip: 'fd7a:115c:a1e0::9' }]
  it.each<[string, Spec, Partial<Seen>, Annotations, unknown]>([
    ['has the addresses of the family of its cluster IP', balancer, {}, {}, { ingress: [name, four] }],
    ['has those of both', { ...balancer, ...both }, {}, {}, { ingress: [name, four, six] }],
    ['has those of both where the agent connects itself', balancer, {}, unprivileged, { ingress: [name, four, six] }],
    ['has none while the device is not known', balancer, { devices: [{ ...device, fqdn: undefined }] }, {}, {}],
    [
      'keeps them while the proxy restarts',
      balancer,
      { devices: [{ ...device, isReady: false }] },
      {},
      { ingress: [name, four] },
    ],
  ])('%s', (_what, spec, seen, annotations, loadBalancer) => {
    expect(report(spec, seen, annotations).status).toEqual({ loadBalancer })
  })

  it('has no addresses if it is no LoadBalancer', () => expect(report({}).status).toEqual({}))

  it.each<[string, Partial<Seen>, unknown]>([
    [
      'works',
      {},
      { status: 'True', reason: 'ProxyCreated', message: 'forwards as db.tail.ts.net (100.64.0.9, fd7a:115c:a1e0::9)' },
    ],
    [
      'has not joined',
      { devices: [{ ...device, id: undefined, isReady: false }] },
      { status: 'False', reason: 'ProxyPending' },
    ],
    [
      'is that of an earlier Pod',
      { devices: [{ ...device, isCurrent: false }] },
      { status: 'False', reason: 'ProxyPending' },
    ],
    [
      'is refused',
      { refused: { as: 'invalid', reason: 'X', message: 'no' } },
      { status: 'False', reason: 'ProxyInvalid', message: 'no' },
    ],
    ['fails', { refused: { as: 'failed', reason: 'X', message: 'no' } }, { status: 'False', reason: 'ProxyFailed' }],
  ])('says that the proxy %s', (_what, seen, condition) => {
    expect(report({}, seen).conditions).toMatchObject([{ type: 'TailscaleProxyReady', ...(condition as object) }])
  })
})
