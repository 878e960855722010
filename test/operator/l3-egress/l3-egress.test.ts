import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import type { Refused, Seen } from '../../../operator/kind.ts'
import { l3Egress } from '../../../operator/l3-egress/l3-egress.ts'
import type { OperatorSettings } from '../../../operator/settings/settings.ts'
import type { World } from '../../../operator/world/world.ts'

const settings = { namespace: 'tailscale', clusterDomain: 'cluster.local', defaultProxyClass: '' } as OperatorSettings
const world: World = { get: () => undefined, all: () => [], by: () => [], follows: () => true }

type Annotations = Readonly<Record<string, string>>
type Spec = Readonly<Record<string, unknown>>

const service = (annotations: Annotations, spec: Spec = {}, labels: Annotations = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'db', namespace: 'apps', uid: 'u-1', annotations, labels },
  spec,
})
const ip = 'tailscale.com/tailnet-ip'
const oldIp = 'tailscale.com/ts-tailnet-target-ip'
const fqdn = 'tailscale.com/tailnet-fqdn'

const claims = (annotations: Annotations): boolean => l3Egress.claims(service(annotations), world, settings)
const plan = (annotations: Annotations) => l3Egress.plan(service(annotations), world, settings)
const variables = (annotations: Annotations) =>
  plan(annotations).proxies!.variables.map(({ name, value }) => `${name}=${value}`)

describe('L3 egress is asked for', () => {
  it.each([
    ['by an address', { [ip]: '100.64.0.9' }, true],
    ['by an address under the old name', { [oldIp]: '100.64.0.9' }, true],
    ['by a name', { [fqdn]: 'db.example.ts.net' }, true],
    ['by a malformed address, which is refused later', { [ip]: 'x' }, true],
    ['not by an empty annotation', { [ip]: '', [fqdn]: ' ' }, false],
    ['not by any other', { 'tailscale.com/hostname': 'db' }, false],
    ['not of a group', { [fqdn]: 'db.example.ts.net', 'tailscale.com/proxy-group': 'eg' }, false],
    [
      'not beside the key of a group, even without a value',
      { [fqdn]: 'db.example.ts.net', 'tailscale.com/proxy-group': '' },
      false,
    ],
  ])('%s', (_what, annotations, expected) => expect(claims(annotations)).toBe(expected))
})

describe('the target', () => {
  it.each([
    ['an IPv4 address', { [ip]: '100.64.0.9' }, 'TS_TAILNET_TARGET_IP=100.64.0.9', {}],
    ['an IPv6 address, canonical', { [ip]: ' FD7A:115C:A1E0:0::9 ' }, 'TS_TAILNET_TARGET_IP=fd7a:115c:a1e0::9', {}],
    ['the old annotation', { [oldIp]: '100.64.0.9' }, 'TS_TAILNET_TARGET_IP=100.64.0.9', {}],
    [
      'both annotations: the new one',
      { [oldIp]: '100.64.0.8', [ip]: '100.64.0.9' },
      'TS_TAILNET_TARGET_IP=100.64.0.9',
      {},
    ],
    ['a MagicDNS name', { [fqdn]: 'DB.example.ts.net' }, 'TS_TAILNET_TARGET_FQDN=db.example.ts.net.', {}],
    ['a name with a dot at its end', { [fqdn]: 'db.example.ts.net.' }, 'TS_TAILNET_TARGET_FQDN=db.example.ts.net.', {}],
    [
      'a name of another domain',
      { [fqdn]: 'db.tailnet.example.com' },
      'TS_TAILNET_TARGET_FQDN=db.tailnet.example.com.',
      {},
    ],
    ['a name of two labels', { [fqdn]: 'db.lan' }, 'TS_TAILNET_TARGET_FQDN=db.lan.', {}],
    [
      'a 4via6 name, which is a route',
      { [fqdn]: '10-1-0-5-Via-7.example.ts.net' },
      'TS_TAILNET_TARGET_FQDN=10-1-0-5-via-7.example.ts.net.',
      { acceptRoutes: true },
    ],
    [
      'a 4via6 address, which is a route',
      { [ip]: 'fd7a:115c:a1e0:b1a:0:7:a01:5' },
      'TS_TAILNET_TARGET_IP=fd7a:115c:a1e0:b1a:0:7:a01:5',
      { acceptRoutes: true },
    ],
    ['an address of a routed network', { [ip]: '10.1.0.5' }, 'TS_TAILNET_TARGET_IP=10.1.0.5', { acceptRoutes: true }],
  ])('%s', (_what, annotations, variable, device) => {
    expect(variables(annotations)).toEqual([variable])
    expect(plan(annotations).proxies!.device).toEqual(device)
  })

  it.each([
    [
      'two targets',
      { [ip]: '100.64.0.9', [fqdn]: 'db.example.ts.net' },
      /names db\.example\.ts\.net, and .*tailnet-ip 100\.64\.0\.9/,
    ],
    [
      'two targets, one under the old name',
      { [oldIp]: '100.64.0.9', [fqdn]: 'db.example.ts.net' },
      /tailnet-target-ip 100\.64\.0\.9/,
    ],
    ['no address', { [ip]: 'db.example.ts.net' }, /tailnet-ip must be an IP address/],
    ['no address under the old name', { [oldIp]: '10.0.0' }, /tailnet-target-ip must be an IP address/],
    ['a prefix', { [ip]: '10.0.0.0/8' }, /must be an IP address/],
    ['a loopback address', { [ip]: '127.0.0.1' }, /127\.0\.0\.1 is a loopback address/],
    ['a multicast address', { [ip]: 'ff02::1' }, /multicast/],
    ['a name without domain', { [fqdn]: 'db' }, /tailnet-fqdn must be a full name/],
    ['a name with an empty label', { [fqdn]: 'db..ts.net' }, /full name/],
    ['a name with a blank', { [fqdn]: 'd b.ts.net' }, /full name/],
    ['an address as a name', { [fqdn]: '100.64.0.9' }, /is 100\.64\.0\.9, which is an address/],
    ['a hostname that is none', { [ip]: '100.64.0.9', 'tailscale.com/hostname': 'a.b' }, /hostname must be/],
    ['tags that are none', { [ip]: '100.64.0.9', 'tailscale.com/tags': 'tag:1' }, /tags must be/],
    ['no privileges', { [ip]: '100.64.0.9', 'culvert/unprivileged': 'true' }, /unprivileged: egress needs/],
  ])('is refused: %s', (_what, annotations, message) => {
    expect(() => plan(annotations)).toThrow(
      expect.objectContaining({ reason: 'INVALIDSERVICE', message: expect.stringMatching(message) }),
    )
  })

  it('is refused if the names of namespace and Service are too long for a hostname, unless one is given', () => {
    const named = (annotations: Annotations) => {
      const { metadata, ...rest } = service({ [ip]: '100.64.0.9', ...annotations })
      return l3Egress.plan({ ...rest, metadata: { ...metadata, name: 'x'.repeat(63) } }, world, settings)
    }
    expect(() => named({})).toThrow(/too long for a hostname/)
    expect(named({ 'tailscale.com/hostname': 'db' }).proxies!.hostnames).toEqual(['db'])
  })
})

it('a proxy forwards packets, and has the hostname, tags and class that the Service asks for', () => {
  const asked = { [ip]: '100.64.0.9', 'tailscale.com/hostname': 'db', 'tailscale.com/tags': 'tag:a, tag:b' }
  const object = service({ ...asked, 'tailscale.com/proxy-class': 'no' }, {}, { 'tailscale.com/proxy-class': 'prod' })
  expect(l3Egress.plan(object, world, settings).proxies).toMatchObject({
    type: 'svc',
    app: 'k8s-operator-egress-proxy',
    mode: 'kernel',
    hostnames: ['db'],
    tags: ['tag:a', 'tag:b'],
    proxyClass: 'prod',
  })
  expect(plan({ [ip]: '100.64.0.9' }).proxies).toMatchObject({
    hostnames: ['apps-db'],
    tags: [],
    proxyClass: undefined,
  })
})

it('what the operator itself noted is no unknown annotation', () => {
  expect(plan({ [ip]: '100.64.0.9', 'culvert/before-egress': '{}' }).events).toEqual([])
})

describe('who may use it', () => {
  const rules = (value: string) => {
    const [policy] = plan({ [ip]: '100.64.0.9', 'culvert/allow-from': value }).objects
    return (policy?.['spec'] as Spec | undefined)?.['ingress']
  }
  const among = (...values: string[]) => [
    {
      from: [
        { namespaceSelector: { matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values }] } },
      ],
    },
  ]

  it.each([
    ['some namespaces', '[apps, web]', among('apps', 'web')],
    ['one', 'apps', among('apps')],
    ['all Pods of the cluster', '*', [{ from: [{ namespaceSelector: {} }] }]],
    ['nobody', '[]', undefined],
  ])('%s', (_what, value, expected) => expect(rules(value)).toEqual(expected))

  it('is not restricted without the annotation', () => expect(plan({ [ip]: '100.64.0.9' }).objects).toEqual([]))

  it('is about what comes to the Pods of this proxy, and nothing else', () => {
    expect(plan({ [ip]: '100.64.0.9', 'culvert/allow-from': '*' }).objects).toMatchObject([
      {
        kind: 'NetworkPolicy',
        metadata: { name: 'ts-egress-u-1', namespace: 'tailscale' },
        spec: { podSelector: { matchLabels: { app: 'u-1' } }, policyTypes: ['Ingress'] },
      },
    ])
  })

  it('is refused for what is no namespace', () => expect(() => rules('a_b')).toThrow(/allow-from must be/))
})

const device = {
  ordinal: 0,
  id: 'n1',
  fqdn: 'apps-db.example.ts.net',
  addresses: ['100.64.0.5', 'fd7a:115c:a1e0::5'],
  httpsEndpoint: undefined,
  isCurrent: true,
  isReady: true,
}
const seen = (more: Partial<Seen> = {}): Seen => ({
  devices: [device],
  name: 'ts-db-abcde',
  refused: undefined,
  ...more,
})
const refused = (as: Refused['as']): Refused => ({ as, reason: 'x', message: 'why' })
const report = (object: KubeObject, what = seen()) => l3Egress.report(object, what, world, settings)

describe('the condition', () => {
  it.each([
    ['the proxy is not there yet', { name: undefined, devices: [] }, 'False', 'ProxyPending', /being created/],
    [
      'the node has not joined',
      { devices: [] },
      'False',
      'ProxyPending',
      /Pod ts-db-abcde-0 in namespace tailscale has not joined/,
    ],
    [
      'its state is of an earlier Pod',
      { devices: [{ ...device, isCurrent: false }] },
      'False',
      'ProxyPending',
      /does not forward/,
    ],
    ['the Pod is not ready', { devices: [{ ...device, isReady: false }] }, 'False', 'ProxyPending', /does not forward/],
    [
      'it forwards',
      {},
      'True',
      'ProxyCreated',
      /^forwards as apps-db\.example\.ts\.net \(100\.64\.0\.5, fd7a:115c:a1e0::5\)$/,
    ],
    ['it is refused', { refused: refused('invalid') }, 'False', 'ProxyInvalid', /^why$/],
    ['its class is not valid', { refused: refused('pending') }, 'False', 'ProxyPending', /^why$/],
    ['Tailscale refuses it', { refused: refused('failed') }, 'False', 'ProxyFailed', /^why$/],
  ])('%s', (_what, more, status, reason, message) => {
    const { conditions } = report(service({ [ip]: '100.64.0.9' }), seen(more))
    expect(conditions).toEqual([
      { type: 'TailscaleProxyReady', status, reason, message: expect.stringMatching(message) },
    ])
  })
})

it('the Service is rewritten once the name of the proxies is known, and stays as it is while it is refused', () => {
  const object = service({ [ip]: '100.64.0.9' }, { type: 'ClusterIP' })
  expect(report(object).patch).toMatchObject({
    spec: { type: 'ExternalName', externalName: 'ts-db-abcde.tailscale.svc.cluster.local' },
  })
  expect(report(object, seen({ name: undefined })).patch).toBeUndefined()
  expect(report(object, seen({ refused: refused('invalid') })).patch).toBeUndefined()
})
