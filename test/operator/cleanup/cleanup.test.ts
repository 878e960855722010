import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { systemClock } from '../../../lib/clock.ts'
import { ApiError } from '../../../operator/api/error.ts'
import { readCleanup } from '../../../operator/cleanup/command.ts'
import { inWords, isNothing, leftIn } from '../../../operator/cleanup/left.ts'
import { lenient } from '../../../operator/cleanup/lenient.ts'
import { withoutAsking } from '../../../operator/cleanup/view.ts'
import type { ServiceApi } from '../../../operator/group-ingress/vips.ts'
import { kinds } from '../../../operator/kinds.ts'
import type { Tailnet } from '../../../operator/proxy/keying.ts'
import { followed } from '../../../operator/world/followed.ts'
import { ingress, service, settings, worldOf } from '../a-world.ts'
import { playedTailnet } from '../operate.ts'

const now = new Date('2026-11-29T12:00:00Z')
const custom = (kind: string, metadata: object = {}, status: object = {}) => ({
  apiVersion: 'tailscale.com/v1alpha1',
  kind,
  metadata: { name: 'a', ...metadata },
  status,
})

describe('during a cleanup', () => {
  test.each([
    ['a Service that is exposed', service('a', {}, { annotations: { 'tailscale.com/expose': 'true' } })],
    ['a LoadBalancer', service('a', { type: 'LoadBalancer', loadBalancerClass: 'tailscale' })],
    ['a Service with a target', service('a', {}, { annotations: { 'tailscale.com/tailnet-fqdn': 'b.c.ts.net' } })],
    [
      'one with the old name of that',
      service('a', {}, { annotations: { 'tailscale.com/ts-tailnet-target-ip': '::1' } }),
    ],
    ['an Ingress', ingress('a')],
  ])('%s asks for nothing', (_what, object) => {
    const claims = (one: typeof object) =>
      kinds.some((kind) => kind.resource.kind === one.kind && kind.claims(one, worldOf(one), settings))
    expect(claims(object)).toBe(true)
    expect(claims(withoutAsking(object, now))).toBe(false)
  })

  test('a group of proxies is not asked for anything', () => {
    const annotations = { 'tailscale.com/proxy-group': 'edge', 'tailscale.com/hostname': 'shop' }
    const seen = withoutAsking(service('a', {}, { annotations }), now)
    // By the name, what another operator has made is found.
    expect(seen.metadata.annotations).toEqual({ 'tailscale.com/hostname': 'shop' })
  })

  test.each(['Connector', 'Recorder', 'ProxyGroup', 'ProxyClass', 'DNSConfig', 'Tailnet'])(
    'a %s is being deleted',
    (kind) => {
      expect(withoutAsking(custom(kind), now).metadata.deletionTimestamp).toBe('2026-11-29T12:00:00.000Z')
    },
  )

  test('an object that is being deleted is so since it is', () => {
    const deletionTimestamp = '2026-11-28T00:00:00Z'
    expect(withoutAsking(custom('Connector', { deletionTimestamp }), now).metadata).toMatchObject({ deletionTimestamp })
  })

  test('all others are as they are', () => {
    for (const object of [custom('PeerRelay'), { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'b' } }])
      expect(withoutAsking(object, now)).toBe(object)
  })
})

describe('what is left', () => {
  const resources = followed(settings.namespace).map(({ resource }) => resource)
  const left = (...objects: readonly KubeObject[]) => leftIn(worldOf(...objects), resources)
  const labels = (type: string) => ({
    'tailscale.com/managed': 'true',
    'tailscale.com/parent-resource-type': type,
    'tailscale.com/parent-resource': 'a',
    'tailscale.com/parent-resource-ns': 'apps',
  })
  const child = (kind: string, data: Readonly<Record<string, string>> = {}, type = 'svc') => ({
    apiVersion: 'v1',
    kind,
    metadata: { name: 'ts-a-0', namespace: settings.namespace, labels: labels(type) },
    data: Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')])),
  })
  const held = { finalizers: ['tailscale.com/finalizer'] }

  test('is counted by kind', () => {
    const found = left(
      child('Pod'),
      child('Secret', { device_id: 'n1' }),
      child('Secret'),
      child('Role'),
      service('a', {}, held),
      service('b', {}, { finalizers: ['edge.tailscale.com/service-pg-finalizer'] }),
      service('c', {}, { annotations: { 'culvert/before-egress': '{}' } }),
    )
    expect(found).toEqual({ pods: 1, devices: 1, secrets: 2, others: 1, waiting: 3 })
    expect(inWords(found)).toBe('1 Pod, 1 device, 2 Secrets, 1 other object, 3 objects that wait for that')
    expect(isNothing(found)).toBe(false)
  })

  test('does not include what belongs to others, and what is not managed', () => {
    const notManaged = { conditions: [{ type: 'NotManaged', status: 'True' }] }
    const found = left(
      service('a'),
      ingress('b'),
      child('Pod', {}, 'nameserver'),
      child('Pod', {}, 'proxygroup'),
      custom('ProxyGroup', held, notManaged),
      custom('Recorder', held, notManaged),
    )
    expect(isNothing(found)).toBe(true)
    expect(inWords(found)).toBe('nothing')
  })
})

describe('what Tailscale’s API does not remove', () => {
  const { signal } = new AbortController()
  const failing = (error: Error): Tailnet & ServiceApi => ({
    ...playedTailnet(),
    removeDevice: async () => {
      throw error
    },
  })
  const refused = new ApiError('it is away', { problem: 'unavailable' })
  const from = (until: number, api = failing(refused)) => {
    const told: string[] = []
    return { told, ...lenient(api, { until, clock: systemClock, told: (text) => told.push(text) }) }
  }

  test('is tried again at first', async () => {
    await expect(from(Number.POSITIVE_INFINITY).removeDevice('n1', signal)).rejects.toThrow('it is away')
  })

  test('is named and left later', async () => {
    const late = from(0)
    await late.removeDevice('n1', signal)
    expect(late.told).toEqual(['device n1 is left in the tailnet, remove it there: it is away'])
    await late.removeKey('k1', signal)
    expect(late.told).toHaveLength(1)
  })

  test('and not when the process has no say any more', async () => {
    await expect(from(0, failing(new Error('not the leader'))).removeDevice('n1', signal)).rejects.toThrow('leader')
  })
})

test.each([
  [[], { deployment: undefined, timeoutMs: 240_000 }],
  [['--deployment=operator', '--timeout', '1m30s'], { deployment: 'operator', timeoutMs: 90_000 }],
])('arguments are read: %j', (args, options) => {
  expect(readCleanup(args)).toEqual(options)
})

test.each([
  [['--timeout=4'], '--timeout takes a duration such as 4m, from 1s to 24h'],
  [['--timeout=0s'], '--timeout takes a duration'],
  [['--deploymnt=a'], 'did you mean --deployment'],
  [['now'], 'flags begin with "--"'],
])('arguments are refused: %j', (args, message) => {
  expect(() => readCleanup(args)).toThrow(message)
})
