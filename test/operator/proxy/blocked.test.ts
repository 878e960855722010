import { expect, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { blockedBy, warningOf } from '../../../operator/proxy/blocked.ts'
import { worldOf } from '../a-world.ts'

const never = new AbortController().signal
const created = '2026-01-01T00:00:00Z'
const metadata = { namespace: 'tailscale', creationTimestamp: created }
const set: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { ...metadata, name: 'ts', uid: 'set' },
}
const pod: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { ...metadata, name: 'ts-0', uid: 'pod' },
  status: { containerStatuses: [{ name: 'tailscale', state: { waiting: { reason: 'ContainerCreating' } } }] },
}

type Said = { readonly type?: string; readonly reason?: string; readonly message: string; readonly at?: number }
/** An Event, `at` seconds after the Pod was created. */
const event = ({ type = 'Warning', reason = 'FailedMount', message, at = 5 }: Said) => ({
  type,
  reason,
  message,
  lastTimestamp: new Date(Date.parse(created) + at * 1000).toISOString(),
})
const tun =
  'MountVolume.SetUp failed for volume "tun" : hostPath type check failed: /dev/net/tun is not a character device'

/** What is told `seconds` after the Pod was created; `asked` are the objects whose Events were looked at. */
async function told(objects: readonly KubeObject[], said: readonly Said[], { seconds = 60, replicas = 1 } = {}) {
  const asked: (string | undefined)[] = []
  const page = async (_resource: unknown, { scope }: { scope: { fields?: string } }) => {
    asked.push(scope.fields)
    return { objects: said.map(event) as unknown as KubeObject[], version: '1', next: undefined }
  }
  const now = new Date(Date.parse(created) + seconds * 1000)
  const { refused, again } = await blockedBy({ page }, worldOf(...objects), set, replicas, never, now)
  return { asked, again, text: refused && `${refused.reason}: ${refused.message}` }
}

test('a Pod that takes longer than usual to start is told of, with what its Events say and the remedy', async () => {
  expect(await told([pod], [{ message: tun }])).toEqual({
    asked: ['involvedObject.uid=pod'],
    again: 15_000,
    text: `ProxyPodNotStarted: Pod ts-0 does not start: ${tun}. Load the kernel module tun on that node, or let a ProxyClass choose other nodes; L3 ingress does without it with the annotation culvert/unprivileged.`,
  })
})

test('nobody is asked about a Pod that has only just been created, or that runs', async () => {
  expect(await told([pod], [{ message: tun }], { seconds: 3 })).toEqual({ asked: [], again: 2000 })
  expect(await told([{ ...pod, status: {} }], [{ message: tun }])).toEqual({ asked: [] })
})

test('a replica that waits for an earlier one, which does not start, hides nothing', async () => {
  const { asked, text } = await told([pod], [{ message: tun }], { replicas: 2 })
  expect([asked, text]).toEqual([['involvedObject.uid=pod'], expect.stringContaining(tun)])
})

test('a Pod that could be made after all hides that an earlier attempt failed', async () => {
  const said = [{ message: 'exceeded quota' }, { type: 'Normal', message: 'create Pod ts-0 successful', at: 9 }]
  expect((await told([], said.toReversed())).text).toBe(undefined)
})

test.each([
  [
    'exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2',
    'Raise the quota, or let a ProxyClass ask for less.',
  ],
  [
    'pods "ts-0" is forbidden: violates PodSecurity "baseline:latest": privileged',
    'Label the namespace pod-security.kubernetes.io/enforce: privileged.',
  ],
  [
    'admission webhook "pods.example.com" denied the request: no owner',
    'Let it admit these Pods, or give them by a ProxyClass what it wants.',
  ],
])('a Pod that is refused is told of: %s', async (message, remedy) => {
  expect(await told([], [{ reason: 'FailedCreate', message }])).toEqual({
    asked: ['involvedObject.uid=set'],
    again: 15_000,
    text: `ProxyPodRefused: ${message}. ${remedy}`,
  })
})

test.each<[string, readonly Said[], string | undefined]>([
  ['nothing', [], undefined],
  ['the latest', [{ message: 'late', at: 9 }, { message: 'early' }], 'late'],
  [
    'what has a remedy',
    [{ message: 'Unable to attach or mount volumes', at: 9 }, { message: 'exceeded quota' }],
    'exceeded quota. Raise the quota, or let a ProxyClass ask for less.',
  ],
  ['nothing that is over', [{ type: 'Normal', message: 'Pulling image', at: 9 }, { message: 'early' }], undefined],
  ['what came at the same time', [{ type: 'Normal', message: 'Scheduled' }, { message: 'early' }], 'early'],
])('of the Events of a Pod %s is told', (_what, said, message) => {
  expect(warningOf(said.map(event))).toBe(message)
})

test('what differs each time is left out', async () => {
  const message = `failed to setup network for sandbox "${'0a'.repeat(32)}": no address`
  expect((await told([pod], [{ reason: 'FailedCreatePodSandBox', message }])).text).toContain('sandbox "…": no address')
})
