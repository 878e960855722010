import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { systemClock } from '../../../lib/clock.ts'
import { ApiError } from '../../../operator/api/error.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { namespace } from '../operator-process.ts'
import { custom, playedTailnet } from '../operate.ts'
import { usedBy } from './fake-uses.ts'
import { all, group, GroupsBed, textIn } from './groups-bed.ts'

const refused = (call: string) => Promise.reject(new ApiError(`${call}: no such scope`, { problem: 'forbidden' }))

let at: GroupsBed
beforeAll(async () => {
  at = await GroupsBed.start()
})
afterAll(() => at[Symbol.asyncDispose]())
beforeEach(() => printLogsOnFailure(at.bed))

test('a group comes, survives a restart without a write, grows, shrinks and goes', async () => {
  /** What there is when a device is removed: replicas that are wanted, and surplus Pods. */
  const atRemoval: string[] = []
  const tailnet = playedTailnet(async (call) => {
    if (!call.startsWith('remove device')) return
    const [set] = await at.shown.children('statefulset', 'life')
    const { replicas } = (set?.['spec'] ?? { replicas: 0 }) as { replicas: number }
    const surplus = (await at.namesOf('pod', 'life')).filter((pod) => Number(pod.replace('life-', '')) >= replicas)
    atRemoval.push(`${replicas} wanted, ${surplus.length} surplus`)
  })
  {
    await using operator = await at.run(tailnet)
    await at.bed.cluster.apply(group('life', { hostnamePrefix: 'edge' }))
    await at.isReady('life', 2)
    expect(await at.standing('life', 'ProxyGroupAvailable')).toBe('ProxyGroupAvailable: 2 of 2 replicas run')
    expect((await at.shown.status('proxygroup', 'life'))['devices']).toMatchObject([
      { hostname: 'edge-0', tailnetIPs: [expect.any(String), expect.any(String)] },
      { hostname: 'edge-1' },
    ])
    expect(await at.namesOf(all, 'life')).toEqual(
      // Budget, Role, RoleBinding, ServiceAccount and StatefulSet have the name of the group.
      Array.from({ length: 5 }, () => 'life').concat([
        'life-0',
        'life-0',
        'life-0-config',
        'life-1',
        'life-1',
        'life-1-config',
        'life-egress-config',
      ]),
    )
    // The key goes once it is used.
    for (const one of ['life-0', 'life-1'])
      await expect.poll(async () => (await at.configOf(one)).AuthKey).toBeUndefined()
    expect(operator.bugs()).toEqual([])
  }
  at.real.proxy.seen.length = 0
  await using operator = await at.run(tailnet)
  await at.bed.cluster.apply(group('next', { replicas: 0 }))
  await expect.poll(() => at.standing('next')).toBe('ProxyGroupReady: no replicas are asked for')
  const writes = at.real.proxy.seen.filter(({ method, url }) => method !== 'GET' && !/\/events|next/.test(url))
  expect(writes).toEqual([])

  const podsBefore = await at.shown.children('pod', 'life')
  await at.bed.cluster.apply(group('life', { replicas: 4 }))
  await at.isReady('life', 4)
  await at.bed.cluster.apply(group('life', { replicas: 1 }))
  await expect.poll(() => at.namesOf('secret', 'life')).toEqual(['life-0', 'life-0-config'])
  expect(atRemoval).toEqual(Array.from({ length: 3 }, () => '1 wanted, 0 surplus'))
  await at.isReady('life', 1)
  // No Pod is replaced only since there are others.
  const [pod] = await at.shown.children('pod', 'life')
  expect(pod!.metadata.uid).toBe(podsBefore[0]!.metadata.uid)

  await at.remove('life')
  await at.remove('next')
  expect(await at.namesOf(all, 'life')).toEqual([])
  expect(tailnet.calls.filter((call) => call.startsWith('mint'))).toHaveLength(4)
  expect(tailnet.calls.filter((call) => call.startsWith('remove device'))).toHaveLength(4)
  expect(operator.bugs()).toEqual([])
})

test('a changed ProxyClass replaces all replicas one after the other, and a restart by kubectl is not undone', async () => {
  await using operator = await at.run(playedTailnet())
  const small = (image: string) =>
    custom('ProxyClass', 'small', { statefulSet: { pod: { tailscaleContainer: { image } } } })
  await at.bed.cluster.apply(small('example.com/agent:1'), group('rolled', { proxyClass: 'small' }))
  await at.isReady('rolled', 2)
  await at.bed.cluster.apply(small('example.com/agent:2'))
  type Pod = KubeObject & { readonly spec: { readonly containers: readonly [{ readonly image: string }] } }
  const images = async () =>
    ((await at.shown.children('pod', 'rolled')) as Pod[]).map(({ spec }) => spec.containers[0].image)
  await expect.poll(images).toEqual(['example.com/agent:2', 'example.com/agent:2'])
  await at.isReady('rolled', 2)

  const uids = async () => (await at.shown.children('pod', 'rolled')).map(({ metadata }) => metadata.uid)
  const before = await uids()
  await at.bed.cluster.kubectl(['rollout', 'restart', 'statefulset/rolled', `--namespace=${namespace}`])
  await expect
    .poll(async () => {
      const now = await uids()
      return now.length === 2 && now.every((uid) => !before.includes(uid))
    })
    .toBe(true)
  await at.isReady('rolled', 2)
  const annotation = ['get', 'statefulset/rolled', `--namespace=${namespace}`, '--output=yaml']
  expect((await at.bed.cluster.kubectl(annotation)).stdout).toContain('kubectl.kubernetes.io/restartedAt')

  // A class that goes does not take away what is there.
  await at.bed.cluster.kubectl(['delete', 'proxyclass/small'])
  await expect
    .poll(() => at.standing('rolled'))
    .toContain('ProxyGroupCreating: ProxyClass "small" does not exist. 2 of 2')
  expect(await images()).toHaveLength(2)
  await at.remove('rolled')
  expect(operator.bugs()).toEqual([])
})

test('files and configs follow what uses the group, also while other parts of it fail', async () => {
  let does: 'work' | 'refuse' | 'hang' = 'work'
  const hanging = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const tailnet = playedTailnet(async (call) => {
    if (does === 'work' || !call.startsWith('mint')) return
    if (does === 'hang') {
      hanging.resolve()
      await released.promise
    }
    await refused(call)
  })
  await using operator = await at.run(tailnet)
  await at.bed.cluster.apply(group('files', { replicas: 1 }), group('web', { type: 'ingress', hostnamePrefix: 'site' }))
  await at.isReady('files', 1)
  const fileIn = async (name: string) => textIn(await at.get('configmap', 'files-egress-config'), name)
  await expect.poll(() => fileIn('egress-services')).toBe('{}')
  expect(await fileIn('hep-pings')).toBe('3')
  does = 'refuse'
  await at.bed.cluster.apply(group('files', { replicas: 2 }))
  await expect.poll(() => at.standing('files')).toContain('no such scope')
  expect(await at.standing('files')).toContain('ProxyGroupCreationFailed')
  expect(await at.namesOf('pod', 'files')).toEqual(['files-0'])
  does = 'hang'
  await at.bed.cluster.kubectl(['annotate', 'proxygroup/files', 'some=change'])
  await hanging.promise
  await at.bed.cluster.apply({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'db',
      namespace,
      labels: { 'tailscale.com/managed': 'true' },
      annotations: { [usedBy]: 'files' },
    },
  })
  await expect.poll(() => fileIn('egress-services')).toContain('"db":')
  // The agent has seen it.
  await expect.poll(async () => textIn(await at.get('secret', 'files-0'), 'egress-services')).toContain('"db":')
  does = 'work'
  released.resolve()
  await at.bed.cluster.kubectl(['annotate', 'proxygroup/files', 'some=other', '--overwrite'])
  await at.isReady('files', 2)

  // Edited and deleted by others.
  await at.bed.cluster.kubectl(['delete', 'configmap/files-egress-config', `--namespace=${namespace}`])
  await expect.poll(() => fileIn('egress-services')).toContain('"db":')
  const patch = JSON.stringify({ binaryData: { 'egress-services': Buffer.from('{"x":{}}').toString('base64') } })
  await at.bed.cluster.kubectl([
    'patch',
    'configmap/files-egress-config',
    `--namespace=${namespace}`,
    '--type=merge',
    `--patch=${patch}`,
  ])
  await expect.poll(() => fileIn('egress-services')).toContain('"db":')
  await at.bed.cluster.kubectl(['delete', 'configmap/db', `--namespace=${namespace}`])
  await expect.poll(() => fileIn('egress-services')).toBe('{}')

  for (const ordinal of [0, 1])
    await expect
      .poll(() => at.configOf(`web-${ordinal}`))
      .toMatchObject({ Hostname: `site-${ordinal}`, AdvertiseServices: ['svc:web'] })
  await at.bed.cluster.apply(group('web', { type: 'ingress', hostnamePrefix: 'page' }))
  await expect.poll(async () => (await at.configOf('web-1')).Hostname).toBe('page-1')
  await expect.poll(() => at.standing('web')).toContain('web-0: its Pod waits until traffic is led to it')
  await at.remove('files')
  await at.remove('web')
  expect(operator.bugs()).toEqual([])
})

test('a replica that is in the way is named, and one whose key was refused gets another', async () => {
  const tailnet = playedTailnet()
  let later = 0
  const clock = { ...systemClock, date: () => new Date(Date.now() + later) }
  await using operator = await at.run(tailnet, { clock })
  await at.bed.cluster.apply(group('odd', { replicas: 3 }))
  await at.isReady('odd', 3)
  operator.agents.fault('odd-1', 'never-ready')
  const waits =
    'ProxyGroupCreating: 2 of 3 replicas are ready. odd-1: its Pod is not ready: its log says what it waits for'
  await expect.poll(() => at.standing('odd')).toBe(waits)
  later = 60_000
  await at.bed.cluster.kubectl(['annotate', 'proxygroup/odd', 'some=change'])
  await expect.poll(async () => (await at.bed.cluster.events()).map(({ what }) => what)).toContain(waits)
  operator.agents.fault('odd-1', undefined)
  await at.isReady('odd', 3)
  const deviceOf = async () => textIn(await at.get('secret', 'odd-2'), 'device_id')
  const device = await deviceOf()
  operator.agents.fault('odd-2', 'key-refused')
  await expect.poll(() => tailnet.calls).toContain(`remove device ${device}`)
  // The status may not show yet that it was away.
  await expect.poll(async () => [undefined, device].includes(await deviceOf())).toBe(false)
  await at.isReady('odd', 3)
  expect(tailnet.calls.filter((call) => call.startsWith('mint'))).toHaveLength(4)
  await at.remove('odd')
  expect(operator.bugs()).toEqual([])
})
