import { expect, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { replicasOf } from '../../../operator/group/replicas.ts'
import { groupReport } from '../../../operator/group/report.ts'
import type { Refused } from '../../../operator/kind.ts'
import { worldOf } from '../a-world.ts'

const encoded = (texts: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]))
const state = (ordinal: number, texts: Readonly<Record<string, string>>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: `edge-${ordinal}`, namespace: 'tailscale' },
  data: encoded(texts),
})
const config = (ordinal: number, fields: object): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: `edge-${ordinal}-config`, namespace: 'tailscale' },
  data: encoded({ 'cap-106.hujson': JSON.stringify(fields) }),
})
const running = (ordinal: number) => ({
  pod_uid: `uid-${ordinal}`,
  device_id: `n${ordinal}`,
  device_fqdn: `edge-${ordinal}.lab.ts.net.`,
  device_ips: `["100.64.0.${ordinal}"]`,
})
const pod = (ordinal: number, conditions: Readonly<Record<string, string>>, metadata: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `edge-${ordinal}`, namespace: 'tailscale', uid: `uid-${ordinal}`, ...metadata },
  status: { conditions: Object.entries(conditions).map(([type, status]) => ({ type, status, message: 'why' })) },
})
const upright = { Ready: 'True', ContainersReady: 'True' }

const reported = (objects: readonly KubeObject[], replicas: number, refused?: Refused) => {
  const { status, conditions } = groupReport(
    replicasOf(worldOf(...objects), { name: 'edge', replicas }, 'tailscale'),
    refused,
  )
  return { status, told: conditions.map((one) => `${one.type} ${one.status} ${one.reason}: ${one.message}`) }
}

test('a group whose replicas all forward is ready, and lists their devices', () => {
  const objects = [0, 1].flatMap((ordinal) => [state(ordinal, running(ordinal)), pod(ordinal, upright)])
  const { status, told } = reported([...objects, config(1, { StaticEndpoints: ['198.51.100.1:30000'] })], 2)
  expect(told).toEqual([
    'ProxyGroupReady True ProxyGroupReady: 2 of 2 replicas are ready',
    'ProxyGroupAvailable True ProxyGroupAvailable: 2 of 2 replicas run',
  ])
  expect(status).toEqual({
    devices: [
      { hostname: 'edge-0', tailnetIPs: ['100.64.0.0'] },
      { hostname: 'edge-1', tailnetIPs: ['100.64.0.1'], staticEndpoints: ['198.51.100.1:30000'] },
    ],
  })
})

test.each<[string, readonly KubeObject[], string]>([
  ['there is no Pod yet', [state(1, running(1))], 'edge-1: there is no Pod yet'],
  ['not scheduled', [pod(1, { PodScheduled: 'False' })], 'edge-1: Pod edge-1 is not scheduled: why'],
  ['starting', [state(1, { ...running(1), pod_uid: 'earlier' }), pod(1, upright)], 'edge-1: its Pod starts'],
  ['not joined', [state(1, { pod_uid: 'uid-1' }), pod(1, upright)], 'edge-1: its Pod has not joined'],
  [
    'not forwarding',
    [state(1, { ...running(1), device_fqdn: '' }), pod(1, upright)],
    'edge-1: its Pod does not forward',
  ],
  ['refused', [state(1, { ...running(1), reissue_authkey: 'k' }), pod(1, upright)], 'edge-1: its auth key was refused'],
  [
    'waiting for its gate',
    [state(1, running(1)), pod(1, { ContainersReady: 'True', Ready: 'False' })],
    'edge-1: its Pod waits until traffic is led to it',
  ],
  ['not ready', [state(1, running(1)), pod(1, { ContainersReady: 'False' })], 'edge-1: its Pod is not ready'],
  [
    'ending',
    [state(1, running(1)), pod(1, upright, { deletionTimestamp: '2026-01-01T00:00:00Z' })],
    'edge-1: its Pod ends',
  ],
])('a replica that is in the way is named: %s', (_what, objects, text) => {
  const { told } = reported([state(0, running(0)), pod(0, upright), ...objects], 2)
  expect(told[0]).toContain('ProxyGroupReady False ProxyGroupCreating: 1 of 2 replicas are ready. ')
  expect(told[0]).toContain(text)
  expect(told[1]).toContain('ProxyGroupAvailable True')
})

test('a group without replicas is ready, and not available', () => {
  expect(reported([], 0).told).toEqual([
    'ProxyGroupReady True ProxyGroupReady: no replicas are asked for',
    'ProxyGroupAvailable False ProxyGroupCreating: 0 of 0 replicas run',
  ])
})

test.each<[Refused, string]>([
  [{ as: 'pending', reason: 'ProxyClassNotReady', message: 'm' }, 'False ProxyGroupCreating: m. 1 of 1'],
  [{ as: 'failed', reason: 'x', message: 'Do it.' }, 'False ProxyGroupCreationFailed: Do it. 1 of 1'],
  [{ as: 'failed', reason: 'x', message: 'm' }, 'False ProxyGroupCreationFailed: m. 1 of 1'],
  [{ as: 'invalid', reason: 'y', message: 'm' }, 'False ProxyGroupInvalid: m. 1 of 1'],
])('what keeps a group from being as asked does not hide that it is available', (refused, text) => {
  const { told } = reported([state(0, running(0)), pod(0, upright)], 1, refused)
  expect(told[0]).toContain(text)
  expect(told[1]).toBe('ProxyGroupAvailable True ProxyGroupAvailable: 1 of 1 replicas run')
})

test('of two devices with one name, the API gets one', () => {
  const both = [0, 1].flatMap((ordinal) => [
    state(ordinal, { ...running(ordinal), device_fqdn: 'edge.lab.ts.net' }),
    pod(ordinal, upright),
  ])
  expect(reported(both, 2).status['devices']).toHaveLength(1)
})
