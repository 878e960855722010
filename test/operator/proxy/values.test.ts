import { describe, expect, it, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { allowance } from '../../../operator/proxy/allowance.ts'
import { ignoredOptions, mustBeAdmitted } from '../../../operator/proxy/checks.ts'
import { labelsOf } from '../../../operator/objects/parent.ts'
import { isHeldByGroup } from '../../../operator/proxy/group.ts'
import { newName } from '../../../operator/proxy/name.ts'
import { merged } from '../../../operator/proxy/report.ts'
import { ordinalOf } from '../../../operator/proxy/seen.ts'
import { troubleOf } from '../../../operator/proxy/trouble.ts'
import { systemClock } from '../../../lib/clock.ts'
import { service, worldOf } from '../a-world.ts'
import { request } from './requests.ts'

test('names are short enough for the labels of Pods, follow from the UID, and are names of Services', () => {
  const name = newName({ name: 'web', uid: 'a' })
  expect(name).toMatch(/^ts-web-[0-9a-z]{5}$/)
  expect(newName({ name: 'web', uid: 'a' })).toBe(name)
  expect(newName({ name: 'web', uid: 'b' })).not.toBe(name)
  expect(newName({ name: 'site.example.com', uid: 'b' })).toMatch(/^ts-site-example-com-[0-9a-z]{5}$/)
  expect(newName({ name: `${'a'.repeat(42)}-${'b'.repeat(200)}`, uid: 'b' })).toMatch(/^ts-a{42}-[0-9a-z]{5}$/)
  expect(newName({ name: 'a'.repeat(253), uid: 'b' })).toHaveLength(52)
})

test.each([
  ['ts-web-0', 0],
  ['ts-web-12', 12],
  ['ts-web-01', undefined],
  ['ts-web-x', undefined],
  ['ts-web', undefined],
  ['ts-other-1', undefined],
  ['ts-web-1-1', undefined],
])('the ordinal of %s is %s', (name, ordinal) => {
  expect(ordinalOf('ts-web', { apiVersion: 'v1', kind: 'Secret', metadata: { name } })).toBe(ordinal)
})

test('reissues are few: as many as there are replicas, and then one in half a minute', () => {
  let time = 0
  const { wait, count } = allowance({ ...systemClock, now: () => time })
  const allow = (parent: string, burst: number): number => {
    const until = wait(parent, burst)
    if (until === 0) count(parent)
    return until
  }
  expect([allow('a', 2), allow('a', 2), allow('b', 2)]).toEqual([0, 0, 0])
  expect(allow('a', 2)).toBe(30_000)
  time = 20_000
  expect(allow('a', 2)).toBe(10_000)
  time = 30_000
  expect(allow('a', 2)).toBe(0)
  expect(allow('a', 2)).toBe(30_000)
  time = 1_000_000
  expect([allow('a', 2), allow('a', 2)]).toEqual([0, 0])
  expect(allow('a', 2)).toBe(30_000)
})

test.each([
  [{ a: 1, b: { c: 2, d: 3 } }, { b: { c: null, e: [4] } }, { a: 1, b: { d: 3, e: [4] } }],
  [{ a: [1, 2] }, { a: [3] }, { a: [3] }],
  [{}, { a: { b: null } }, { a: {} }],
  [{ a: 'x' }, { a: { b: 1 } }, { a: { b: 1 } }],
])('%j with the merge patch %j is %j', (value, patch, result) => {
  expect(merged(value, patch)).toEqual(result)
})

test('what Tailscale’s agent does not know is left out, or refused if the proxy is for that', () => {
  const option = (setBy: string, isEssential?: boolean) => ({
    setBy,
    ...(isEssential !== undefined && { isEssential }),
  })
  const asked = { ...request, ownOptions: [option('one'), option('two')] }
  expect(ignoredOptions(asked, 'culvert')).toEqual([])
  expect(ignoredOptions(asked, 'upstream')).toEqual(['one', 'two'])
  const essential = { ...request, ownOptions: [option('one'), option('annotation culvert/unprivileged', true)] }
  expect(ignoredOptions(essential, 'culvert')).toEqual([])
  expect(() => ignoredOptions(essential, 'upstream')).toThrow('annotation culvert/unprivileged needs Culvert’s agent')
})

test.each([
  ['kernel', 'baseline', true],
  ['kernel', 'restricted', true],
  ['kernel', 'privileged', false],
  ['kernel', undefined, false],
  ['userspace', 'restricted', false],
] as const)('a proxy in %s mode under Pod Security %s: refused %s', (mode, level, refused) => {
  const labels = level === undefined ? {} : { 'pod-security.kubernetes.io/enforce': level }
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'tailscale', labels } }
  const check = () => mustBeAdmitted({ ...request, mode }, { get: () => namespace }, 'tailscale')
  if (refused) expect(check).toThrow(`enforces the Pod Security level ${level}`)
  else check()
})

test.each<[string, unknown, string | undefined]>([
  ['runs', { containerStatuses: [{ name: 'tailscale', state: { running: {} } }] }, undefined],
  [
    'is being started',
    { containerStatuses: [{ name: 'tailscale', state: { waiting: { reason: 'ContainerCreating' } } }] },
    undefined,
  ],
  [
    'has no node',
    { conditions: [{ type: 'PodScheduled', status: 'False', message: '0/1 nodes are available' }] },
    'Pod ts-web-0 is not scheduled: 0/1 nodes are available',
  ],
  [
    'has no image',
    {
      initContainerStatuses: [
        { name: 'sysctler', state: { waiting: { reason: 'ImagePullBackOff', message: 'no such image' } } },
      ],
    },
    'container sysctler of Pod ts-web-0 waits: ImagePullBackOff: no such image',
  ],
  [
    'crashes',
    {
      containerStatuses: [
        { name: 'tailscale', state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 5m0s' } } },
      ],
    },
    'container tailscale of Pod ts-web-0 waits: CrashLoopBackOff',
  ],
  ['has no status', undefined, undefined],
])('it is told why a Pod that %s does not start', (_what, status, text) => {
  expect(troubleOf({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'ts-web-0' }, status })).toBe(text)
})

describe('the finalizer of a Service is also that of an egress group', () => {
  const fqdn = { 'tailscale.com/tailnet-fqdn': 'db.tail.ts.net' }
  const group = { 'tailscale.com/proxy-group': 'group' }
  const parent = { type: 'svc', namespace: 'apps', name: 'db' } as const
  const left = service(
    'ts-db-abcde',
    {},
    {
      namespace: 'tailscale',
      labels: { ...labelsOf(parent), 'tailscale.com/proxy-group': 'group', 'tailscale.com/svc-type': 'egress' },
    },
  )
  it.each<[string, object, readonly KubeObject[], boolean]>([
    ['that asks for one', { annotations: { ...group, ...fqdn } }, [], true],
    ['that asks for a target only', { annotations: fqdn }, [], false],
    ['that asks for a group only', { annotations: group }, [], false],
    ['with an empty name of a group', { annotations: { ...fqdn, 'tailscale.com/proxy-group': '' } }, [], false],
    ['that asks for nothing any more, while something is left', {}, [left], true],
    ['that is being deleted, while something is left', { deletionTimestamp: 'now' }, [left], true],
    [
      'that is being deleted, when nothing is left',
      { deletionTimestamp: 'now', annotations: { ...group, ...fqdn } },
      [],
      false,
    ],
  ])('%s: %#', (_what, metadata, others, expected) => {
    expect(isHeldByGroup(service('db', {}, metadata), parent, worldOf(...others))).toBe(expected)
  })
})
