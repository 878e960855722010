import { expect, it, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { definitions } from '../../../operator/schemas/all.ts'
import { unmanaged } from '../../../operator/unmanaged/unmanaged.ts'
import { worldOf } from '../a-world.ts'

const made = (kind: string, metadata = {}): KubeObject => ({
  apiVersion: 'tailscale.com/v1alpha1',
  kind,
  metadata: { name: 'a', uid: 'uid', generation: 1, ...metadata },
  spec: {},
})
const judged = (kind: string, metadata = {}) =>
  unmanaged.find(({ name }) => name === kind)!.judge(made(kind, metadata), worldOf())

it('is every kind of the group but those that are managed', () => {
  const managed = new Set(['Connector', 'ProxyClass', 'ProxyGroup', 'Recorder'])
  const kinds = definitions.map(({ resource }) => resource.kind).filter((kind) => !managed.has(kind))
  expect(unmanaged.map(({ name }) => name).toSorted()).toEqual(kinds)
})

test.each([
  ['DNSConfig', ['NotManaged True', 'NameserverReady False']],
  ['Tailnet', ['NotManaged True', 'TailnetReady False']],
  ['PeerRelay', ['NotManaged True', 'PeerRelayReady False']],
  ['ProxyGroupPolicy', ['NotManaged True']],
])('a %s is told that nothing is made for it, also where kubectl get shows how it stands', (kind, told) => {
  const { conditions, events } = judged(kind)
  expect(conditions.map(({ type, status }) => `${type} ${status}`)).toEqual(told)
  const { message } = conditions[0]!
  expect(message).toContain(`does not manage objects of the kind ${kind} yet`)
  expect(conditions.every((one) => one.reason === 'NotManaged' && one.message === message)).toBe(true)
  expect(events).toEqual([{ type: 'Warning', reason: 'NotManaged', message }])
})

test('what holds up a deletion is told', () => {
  const metadata = { deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['tailscale.com/finalizer'] }
  expect(judged('PeerRelay', metadata).conditions[0]?.message).toContain('remove the finalizer tailscale.com/finalizer')
})
