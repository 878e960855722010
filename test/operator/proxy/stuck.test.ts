import { expect, test } from 'vitest'
import type { Flight } from '../../../kube/controller/controller.ts'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { replacesStuck } from '../../../operator/proxy/stuck.ts'
import { service, worldOf } from '../a-world.ts'

type Fields = Readonly<Record<string, unknown>>
const flight = { signal: new AbortController().signal, wrote: () => undefined } as unknown as Flight

const setOf = ({ policy = 'OrderedReady', observed = 3 } = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'ts', namespace: 'tailscale', uid: 'set', generation: 3 },
  spec: { podManagementPolicy: policy },
  status: { observedGeneration: observed, updateRevision: 'ts-new' },
})

/** `since`: the minute at which it became ready or ceased to be; kubelet has seen it in minute 1. */
const podOf = (revision: string, status: Fields, metadata: Fields = {}, ordinal = 0): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: `ts-${ordinal}`,
    namespace: 'tailscale',
    uid: `pod-${ordinal}`,
    labels: { 'controller-revision-hash': revision },
    ...metadata,
  },
  status,
})
const condition = (type: string, status: string, minute: number) => ({
  type,
  status,
  lastTransitionTime: `2026-01-01T00:0${minute}:00Z`,
})
const ready = (status: 'True' | 'False', minute: number): Fields => ({
  conditions: [condition('Ready', status, minute), condition('Initialized', 'True', 1)],
})
const waits = (reason: string): Fields => ({
  ...ready('False', 5),
  containerStatuses: [{ name: 'tailscale', state: { waiting: { reason } } }],
})
const unscheduled: Fields = { conditions: [condition('PodScheduled', 'False', 1)] }

/** Which Pods are deleted in some rounds, and what is told of it. `now`: the Pods as the API has them. */
async function replaced(set: KubeObject, pods: readonly KubeObject[], now = pods, rounds = 1) {
  const deleted: string[] = []
  const told: string[] = []
  const replace = replacesStuck({
    api: { get: async (_resource, { name }) => now.find(({ metadata }) => metadata.name === name) },
    world: worldOf(set, ...pods),
    prune: async (present) => deleted.push(...[...present].map(({ metadata }) => metadata.name)),
    tell: async (_about, { type, reason, message }) => void told.push(`${type} ${reason} ${message}`),
    clock: { now: () => 0, date: () => new Date(0) } as never,
  })
  let again: number | undefined
  for (let round = 0; round < rounds; round += 1) again = await replace(service('web'), set, 2, flight)
  return { deleted, told, again }
}

test.each<[string, Fields]>([
  ['has no node', unscheduled],
  ['has no image', waits('ImagePullBackOff')],
  ['ends again and again, though it was ready once', waits('CrashLoopBackOff')],
  ['has never been ready', ready('False', 1)],
  ['has not been seen by kubelet', {}],
])('a Pod of an earlier template makes room where the StatefulSet waits for it and it %s', async (_what, status) => {
  expect(await replaced(setOf(), [podOf('ts-old', status)])).toEqual({
    deleted: ['ts-0'],
    told: [
      'Normal ProxyPodReplaced Pod ts-0 was deleted, since it does not start, and its template has been corrected: its StatefulSet would wait for it',
    ],
    again: undefined,
  })
})

test.each<[string, KubeObject, KubeObject]>([
  ['is of the present template', setOf(), podOf('ts-new', unscheduled)],
  ['is ready', setOf(), podOf('ts-old', ready('True', 2))],
  ['was ready before, and may be so again', setOf(), podOf('ts-old', ready('False', 5))],
  ['is about to go', setOf(), podOf('ts-old', unscheduled, { deletionTimestamp: '2026-01-01T00:00:00Z' })],
  ['is replaced by Kubernetes itself', setOf({ policy: 'Parallel' }), podOf('ts-old', unscheduled)],
  ['may be of a template that Kubernetes has not looked at yet', setOf({ observed: 2 }), podOf('ts-old', unscheduled)],
])('a Pod stays that %s', async (_what, set, pod) => {
  expect(await replaced(set, [pod])).toEqual({ deleted: [], told: [], again: undefined })
})

test('a Pod stays that has become ready meanwhile', async () => {
  const now = [podOf('ts-old', ready('True', 2))]
  expect(await replaced(setOf(), [podOf('ts-old', ready('False', 1))], now)).toMatchObject({ deleted: [], told: [] })
})

test('only Pods that do not start go, and only as many at once as there are replicas', async () => {
  const pods = [podOf('ts-old', ready('True', 2)), podOf('ts-old', unscheduled, {}, 1)]
  const { deleted, again } = await replaced(setOf(), pods, pods, 3)
  expect(deleted).toEqual(['ts-1', 'ts-1'])
  expect(again).toBeGreaterThan(0)
})
