import { expect, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { publicMachineKey } from '../../../wire/machine-key.ts'
import { settings } from '../a-world.ts'
import { custom, everything, operate, playedTailnet, type startPlayed } from '../operate.ts'
import { encoded, textsOf } from '../played-pods.ts'
import { joined, machineKeyFor, onlyState } from '../played-state.ts'

type Bed = Awaited<ReturnType<typeof startPlayed>>
type StatefulSet = KubeObject & {
  readonly spec: { readonly selector: unknown; readonly volumeClaimTemplates?: unknown }
}

const { namespace } = settings
const s3 = { storage: { s3: { endpoint: 's3.example.com', bucket: 'sessions' } } }
const made = (name: string, spec: object, annotations: object = {}) => custom('Recorder', name, spec, { annotations })

/** What Tailscale's operator leaves of a Recorder whose node has joined as `id`. */
export function leftOfRecorder({ metadata: { name, uid = '' } }: KubeObject, id: string): readonly KubeObject[] {
  const labels = {
    'app.kubernetes.io/name': 'recorder',
    'app.kubernetes.io/instance': name,
    'app.kubernetes.io/managed-by': 'tailscale-operator',
  }
  const owner = { apiVersion: 'tailscale.com/v1alpha1', kind: 'Recorder', name, uid, controller: true }
  const metadata = { name, namespace, labels, ownerReferences: [{ ...owner, blockOwnerDeletion: true }] }
  const node = { id, fqdn: `${name}-0.lab.ts.net`, addresses: ['100.64.0.77'], machineKey: machineKeyFor(id) }
  const state = onlyState(joined(node))
  const data = Object.fromEntries(Object.entries(state).map(([key, text]) => [key, encoded(text ?? '')]))
  // With labels of the user's in the selector.
  const matchLabels = { ...labels, team: 'net' }
  const container = { name: 'recorder', image: 'tailscale/tsrecorder:v1.104.7', command: ['/tsrecorder'] }
  const template = { metadata: { labels: matchLabels }, spec: { serviceAccountName: name, containers: [container] } }
  const rbac = 'rbac.authorization.k8s.io'
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    { apiVersion: `${rbac}/v1`, kind: 'Role', metadata, rules: [] },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: rbac, kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', name, namespace }],
    },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { ...metadata, name: `${name}-auth-0` },
      data: { authkey: encoded('tskey-auth-old') },
    },
    { apiVersion: 'v1', kind: 'Secret', metadata: { ...metadata, name: `${name}-0` }, data },
    { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata, spec: { selector: { matchLabels }, template } },
  ]
}

/** Tests of Recorders, on a bed without nodes where agents are played. */
export function testRecorders(started: () => Bed): void {
  const standing = (name: string) => started().shown.standing(name, 'recorder', 'RecorderReady')
  const names = async (kind: string, name: string) =>
    (await started().shown.children(kind, name)).map(({ metadata }) => metadata.name).toSorted()
  const set = async (name: string) => await started().bed.cluster.get<StatefulSet>('statefulset', name, namespace)
  const apply = (...objects: readonly object[]) => started().bed.cluster.apply(...(objects as KubeObject[]))

  test('a Recorder comes with a device for each replica, shrinks, gets a volume, and goes', async () => {
    const { bed, real, shown } = started()
    const tailnet = playedTailnet()
    await using operator = await operate(real, tailnet)
    await apply(made('rec', { ...s3, replicas: 2, tags: ['tag:recorder'] }))
    await expect.poll(() => standing('rec')).toBe('RecorderCreated: 2 of 2 devices are up')
    expect(await names('pod', 'rec')).toEqual(['rec-0', 'rec-1'])
    expect((await shown.status('recorder', 'rec'))['devices']).toMatchObject([
      { hostname: 'rec-0', tailnetIPs: [expect.any(String), expect.any(String)] },
      { hostname: 'rec-1' },
    ])
    expect(tailnet.calls).toEqual(Array.from({ length: 2 }, () => 'mint tag:recorder Recorder rec'))
    // The last one may go a moment after all devices are up.
    const keys = async () =>
      (await shown.children('secret', 'rec')).filter((one) => JSON.stringify(textsOf(one)).includes('tskey'))
    await expect.poll(keys).toEqual([])

    await apply(made('rec', { ...s3, tags: ['tag:recorder'] }))
    await expect.poll(() => names('secret', 'rec')).toEqual(['rec-0'])
    await expect.poll(() => standing('rec')).toBe('RecorderCreated: 1 of 1 device is up')
    const before = (await set('rec'))!.metadata.uid

    // Its claims can be set only once, so it is another one then, with the same device.
    await apply(made('rec', s3, { 'culvert/volume': '1024Mi' }))
    await expect
      .poll(async () => (await set('rec'))?.spec.volumeClaimTemplates)
      .toMatchObject([{ metadata: { name: 'data' } }])
    await expect.poll(() => standing('rec')).toBe('RecorderCreated: 1 of 1 device is up')
    const claimed = (await set('rec'))!.metadata.uid
    expect(claimed).not.toBe(before)
    expect(tailnet.calls.filter((call) => call.startsWith('mint'))).toHaveLength(2)

    await apply(
      made('rec', { ...s3, statefulSet: { pod: { labels: { team: 'net' } } } }, { 'culvert/volume': '1024Mi' }),
    )
    const labelled = async () => (await shown.children('pod', 'rec')).map(({ metadata }) => metadata.labels?.['team'])
    await expect.poll(labelled).toEqual(['net'])
    expect((await set('rec'))!.metadata.uid).toBe(claimed)

    await bed.cluster.kubectl(['delete', 'recorder/rec', '--timeout=300s'])
    expect(await shown.children(everything, 'rec')).toEqual([])
    expect(tailnet.calls.filter((call) => call.startsWith('remove device'))).toHaveLength(2)
    expect(operator.bugs()).toEqual([])
  })

  test('a Recorder that is refused once gets its device without another change', async () => {
    const { bed, real } = started()
    const tailnet = playedTailnet()
    await using operator = await operate(real, tailnet)
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'taken', namespace } }
    await apply(account, made('again', { enableUI: true, statefulSet: { pod: { serviceAccount: { name: 'taken' } } } }))
    await expect.poll(() => standing('again')).toMatch(/^RecorderCreationFailed: .*"taken".* belongs to somebody else/)
    await bed.cluster.kubectl(['delete', 'serviceaccount/taken', `--namespace=${namespace}`])
    await expect.poll(() => standing('again')).toBe('RecorderCreated: 1 of 1 device is up')
    await bed.cluster.kubectl(['delete', 'recorder/again', '--timeout=300s'])
    expect(operator.bugs()).toEqual([])
  })

  test('what Tailscale’s operator has made for a Recorder is taken over with its device, and its auth key goes', async () => {
    const { bed, real, shown } = started()
    await apply(made('former', { enableUI: true }))
    const left = leftOfRecorder((await bed.cluster.get<KubeObject>('recorder', 'former'))!, 'nFormer')
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: left })
    await bed.cluster.kubectl(['create', '--field-manager=operator', '--filename=-'], { input })
    const tailnet = playedTailnet()
    tailnet.devices.set('nFormer', { machineKey: publicMachineKey(machineKeyFor('nFormer'))! })
    const before = await set('former')
    await using operator = await operate(real, tailnet)
    await expect.poll(() => standing('former')).toBe('RecorderCreated: 1 of 1 device is up')
    expect(tailnet.calls).toEqual([])
    const after = (await set('former'))!
    expect(after.metadata.uid).not.toBe(before!.metadata.uid)
    expect(Object.keys((after.spec.selector as { matchLabels: object }).matchLabels)).toEqual(['app'])
    await expect.poll(() => names('secret', 'former')).toEqual(['former-0'])
    const [state] = await shown.children('secret', 'former')
    expect(textsOf(state!)).toMatchObject({ _machinekey: machineKeyFor('nFormer'), '_current-profile': 'profile-0001' })
    for (const one of await shown.children(everything, 'former'))
      if (one.kind !== 'Pod') expect(one.metadata.ownerReferences, one.kind).toBeUndefined()
    const events = await bed.cluster.list<{ reason: string; message: string }>('events', 'default')
    expect(events.filter(({ reason }) => reason === 'RecordingsEnd')).toHaveLength(1)

    await bed.cluster.kubectl(['delete', 'recorder/former', '--timeout=300s'])
    expect(tailnet.calls).toEqual(['remove device nFormer'])
    expect(await shown.children(everything, 'former')).toEqual([])
    expect(operator.bugs()).toEqual([])
  })

  test('a Recorder that was deleted while no operator was there loses its device, too', async () => {
    const { bed, real } = started()
    await apply(custom('Recorder', 'gone', { enableUI: true }, { finalizers: ['tailscale.com/finalizer'] }))
    const left = leftOfRecorder((await bed.cluster.get<KubeObject>('recorder', 'gone'))!, 'nGone')
    await apply(...left)
    await bed.cluster.kubectl(['delete', 'recorder/gone', '--wait=false'])
    const tailnet = playedTailnet()
    await using operator = await operate(real, tailnet)
    await expect.poll(() => bed.cluster.get('recorder', 'gone')).toBe(undefined)
    expect(tailnet.calls).toEqual(['remove device nGone'])
    const of = { selector: 'app.kubernetes.io/instance=gone' }
    await expect.poll(() => bed.cluster.list('secrets,statefulsets', namespace, of)).toEqual([])
    expect(operator.bugs()).toEqual([])
  })
}
