import { expect, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { accountOf, findGroup, readGroup, typeOf } from '../../../operator/group/group.ts'
import { settings, worldOf } from '../a-world.ts'

const made = (spec: object, metadata: object = {}): KubeObject => ({
  apiVersion: 'tailscale.com/v1alpha1',
  kind: 'ProxyGroup',
  metadata: { name: 'egress', uid: 'u1', ...metadata },
  spec,
})
const defaults = { ...settings, defaultProxyClass: 'usual' }

test('little is needed', () => {
  expect(readGroup(made({ type: 'egress' }), settings)).toMatchObject({
    name: 'egress',
    type: 'egress',
    replicas: 2,
    hostnames: ['egress-0', 'egress-1'],
    tags: ['tag:k8s'],
    proxyClass: undefined,
    sharesAcmeAccount: undefined,
  })
})

test('everything can be set', () => {
  const annotations = { 'tailscale.com/share-acme-account': 'true' }
  const spec = { type: 'ingress', replicas: 3, hostnamePrefix: 'edge', tags: ['tag:a'], proxyClass: 'small' }
  expect(readGroup(made(spec, { annotations }), defaults)).toMatchObject({
    type: 'ingress',
    hostnames: ['edge-0', 'edge-1', 'edge-2'],
    tags: ['tag:a'],
    proxyClass: 'small',
    sharesAcmeAccount: true,
  })
  expect(readGroup(made({ type: 'ingress', replicas: 0 }), defaults)).toMatchObject({
    hostnames: [],
    proxyClass: 'usual',
  })
})

test.each<[string, object, object, string]>([
  ['of a type that is not known', { type: 'other' }, {}, 'spec.type'],
  [
    'of the name of an account',
    { type: 'kube-apiserver' },
    { name: 'kube-apiserver-auth-proxy' },
    'kube-apiserver-auth-proxy is the name of the service account',
  ],
  ['of another tailnet', { type: 'egress', tailnet: 'second' }, {}, 'the Tailnet "second"'],
  [
    'with a name too long for volumes',
    { type: 'egress' },
    { name: 'a'.repeat(49) },
    'cannot be used for Pods and volumes',
  ],
  ['with a dot in its name', { type: 'egress' }, { name: 'a.b' }, 'cannot be used for Pods and volumes'],
  ['with hostnames too long', { type: 'egress', hostnamePrefix: 'a'.repeat(62) }, {}, 'more than 63 characters'],
  ['with too many replicas', { type: 'egress', replicas: 501 }, {}, '501 are more than 500'],
  ['with a wrong tag', { type: 'egress', tags: ['k8s'] }, {}, 'spec.tags[0]'],
  [
    'with a wrong annotation',
    { type: 'ingress' },
    { annotations: { 'tailscale.com/share-acme-account': 'maybe' } },
    'tailscale.com/share-acme-account must be',
  ],
])('a group %s is refused, and what wants to use it learns why', (_what, spec, metadata, text) => {
  const object = made(spec, metadata)
  expect(() => readGroup(object, settings)).toThrow(text)
  const found = findGroup(worldOf(object), object.metadata.name, settings)
  expect(found).toEqual({ missing: expect.stringContaining(text) as string })
})

test('a group is found by its name, unless it is absent or being deleted', () => {
  const world = worldOf(
    made({ type: 'egress' }),
    made({ type: 'egress' }, { name: 'going', deletionTimestamp: '2026-01-01T00:00:00Z' }),
  )
  expect(findGroup(world, 'egress', settings)).toMatchObject({ name: 'egress', type: 'egress' })
  expect(findGroup(world, 'other', settings)).toEqual({ missing: 'ProxyGroup "other" does not exist' })
  expect(findGroup(world, 'going', settings)).toEqual({ missing: 'ProxyGroup "going" is being deleted' })
})

test('API server proxies impersonate unless they are not to, and run as an account that may only then', () => {
  const read = (kubeAPIServer?: object) => readGroup(made({ type: 'kube-apiserver', kubeAPIServer }), settings)
  expect([read(), read({ mode: 'auth' }), read({ mode: 'noauth' })].map((one) => [one.mode, accountOf(one)])).toEqual([
    ['auth', 'kube-apiserver-auth-proxy'],
    ['auth', 'kube-apiserver-auth-proxy'],
    ['noauth', 'egress'],
  ])
  const others = readGroup(made({ type: 'egress', kubeAPIServer: { mode: 'auth' } }), settings)
  expect([others.mode, accountOf(others)]).toEqual([undefined, 'egress'])
})

test('the type is known also of a group that is refused', () => {
  expect(typeOf(made({ type: 'egress', replicas: -1 }))).toBe('egress')
  expect(typeOf(made({ type: 'other' }))).toBeUndefined()
})
