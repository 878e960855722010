import { expect, test } from 'vitest'
import type { Patch } from '../../../kube/controller/api.ts'
import type { KubeObject, Name } from '../../../kube/controller/object.ts'
import type { TailnetDevice } from '../../../operator/api/api.ts'
import { formerState } from '../../../operator/api-proxy/former-state.ts'
import { apiProxyParent } from '../../../operator/api-proxy/request.ts'
import { labelsOf } from '../../../operator/objects/parent.ts'
import { settings, worldOf } from '../a-world.ts'

const { namespace } = settings
const encoded = (texts: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]))
const secret = (name: string, texts: Readonly<Record<string, string>>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace },
  data: encoded(texts),
})
const state = {
  _machinekey: 'privkey:00',
  '_current-profile': 'profile-1a2b',
  _profiles: '{}',
  'profile-1a2b': JSON.stringify({ Config: { NodeID: 'nOperator' } }),
  'tailscale-operator.example.ts.net.crt': 'pem',
}
const device = (more: Partial<TailnetDevice> = {}): TailnetDevice => ({
  id: 'nOperator',
  name: 'tailscale-operator.example.ts.net',
  hostname: 'tailscale-operator',
  addresses: [],
  tags: [],
  machineKey: undefined,
  isConnected: false,
  ...more,
})

const parent = apiProxyParent(settings)
/** What Tailscale’s operator has after it got a new node. */
const newer = { ...state, _machinekey: 'privkey:01', 'profile-1a2b': JSON.stringify({ Config: { NodeID: 'nNewer' } }) }
/** The proxy’s own Secret; `from`: the device whose state was copied into it. */
const own = (texts: Readonly<Record<string, string>>, from?: string): KubeObject => {
  const made = secret('apiserver-proxy-0', texts)
  const annotations = { mine: 'kept', ...(from !== undefined && { 'culvert/former-device': from }) }
  return { ...made, metadata: { ...made.metadata, labels: labelsOf(parent), annotations, resourceVersion: '7' } }
}
const copy = own({ ...state, device_id: 'nOperator', 'cap-107.hujson': '{}' }, 'nOperator')
const metadata = { name: 'apiserver-proxy', namespace, labels: labelsOf(parent) }
const set: KubeObject = { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata }
const pod = (phase: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { ...metadata, name: 'apiserver-proxy-0' },
  status: { phase },
})

const usual = {
  /** What the API has. */
  objects: [secret('operator', state)],
  /** What the cache shows. */
  seen: [] as KubeObject[],
  found: [device()],
}
/** What becomes of `apiserver-proxy-0`, and what is written. */
async function goingOn(more: Partial<typeof usual> = {}, operatorSecret = 'operator') {
  const { objects, seen, found } = { ...usual, ...more }
  const written: { readonly name: Name; readonly patch: Patch }[] = []
  const goesOn = formerState({
    api: {
      get: async (_resource, { name }) => objects.find(({ metadata: { name: known } }) => known === name),
      patch: async (_resource, name, patch) => {
        written.push({ name, patch })
        return secret('written', {})
      },
    },
    tailnet: { getDevice: async (id) => found.find((one) => one.id === id) },
    world: worldOf(...seen),
    settings: { ...settings, operatorSecret },
  })
  const signal = new AbortController().signal
  return { former: await goesOn(parent, 'apiserver-proxy-0', signal), written }
}

test('the state of Tailscale’s operator is copied as a whole, with the ID as agents write it, and labels', async () => {
  const { former, written } = await goingOn()
  expect(former).toBe('copied')
  expect(written).toMatchObject([
    {
      name: { namespace, name: 'apiserver-proxy-0' },
      patch: {
        type: 'apply',
        manager: 'culvert-former-state',
        body: {
          kind: 'Secret',
          metadata: {
            labels: { 'tailscale.com/parent-resource-type': 'apiserver' },
            annotations: { 'culvert/former-device': 'nOperator' },
          },
        },
      },
    },
  ])
  const data = encoded({ ...state, device_id: 'nOperator' })
  expect((written[0]!.patch.body as KubeObject)['data']).toEqual(data)
  expect(written[0]!.patch.hidden).toEqual(expect.arrayContaining(Object.values(data)))
})

const inUse = [device({ isConnected: true })]
test.each<[string, Partial<typeof usual>, string?]>([
  ['there is no such Secret', { objects: [] }],
  ['none is named', {}, ''],
  ['it has no node', { objects: [secret('operator', { ...state, 'profile-1a2b': '{}' })] }],
  ['it has no machine key', { objects: [secret('operator', { ...state, _machinekey: '' })] }],
  ['its device was removed', { found: [] }],
  ['a Secret of somebody else has the name', { objects: [...usual.objects, secret('apiserver-proxy-0', {})] }],
  ['the proxy has it already', { objects: [...usual.objects, copy] }],
  ['a StatefulSet and a Secret are there', { objects: [secret('operator', newer), copy], seen: [set] }],
  ['the cache shows both', { seen: [set, copy] }],
  ['a Pod without a StatefulSet has it', { objects: [...usual.objects, copy], seen: [pod('Running')], found: inUse }],
])('nothing is copied if %s', async (_why, more, named) => {
  expect(await goingOn(more, named)).toEqual({ former: 'none', written: [] })
})

const both = [device(), device({ id: 'nNewer' })]
test.each<[string, Partial<typeof usual>]>([
  ['while there is no copy yet', {}],
  ['at the second time, when there is a copy already', { objects: [...usual.objects, copy] }],
  ['though the cache shows a copy', { objects: [...usual.objects, copy], seen: [copy] }],
  ['though there is a StatefulSet, if its Pod does not run', { seen: [set, pod('Pending')] }],
  [
    'if it is a new one',
    { objects: [secret('operator', newer), copy], found: [device(), device({ id: 'nNewer', isConnected: true })] },
  ],
])('a device that is connected is waited for, %s', async (_when, more) => {
  const { former, written } = await goingOn({ found: inUse, ...more })
  expect(former).toMatchObject({ refused: { as: 'pending', reason: 'DeviceInUse' } })
  expect(written).toEqual([])
})

test('a control server that does not say what is connected is believed', async () => {
  expect((await goingOn({ found: [device({ isConnected: undefined })] })).former).toBe('copied')
})

test('a Pod of its own that runs is what is connected: its Secret is made anew', async () => {
  const { former, written } = await goingOn({ seen: [set, pod('Running')], found: inUse })
  expect(former).toBe('copied')
  expect(written).toHaveLength(1)
})

test.each<[string, KubeObject, readonly TailnetDevice[]]>([
  ['since the copy was made', copy, both],
  ['and the device of the proxy was removed', own({ ...state, device_id: 'nOperator' }), both.slice(1)],
  ['and the proxy never had a device', own({ 'cap-107.hujson': '{}' }), both],
])('the copy is made anew if Tailscale’s operator got another device %s', async (_why, present, found) => {
  const { former, written } = await goingOn({ objects: [secret('operator', newer), present], found: [...found] })
  expect(former).toBe('copied')
  expect(written).toHaveLength(1)
  const { type, body, hidden } = written[0]!.patch
  const data = encoded({ ...newer, device_id: 'nNewer' })
  expect(type).toBe('json')
  expect(body).toEqual([
    { op: 'test', path: '/metadata/resourceVersion', value: '7' },
    { op: 'add', path: '/metadata/annotations', value: { mine: 'kept', 'culvert/former-device': 'nNewer' } },
    { op: 'add', path: '/data', value: data },
  ])
  expect(hidden).toEqual(expect.arrayContaining(Object.values(data)))
})

test.each<[string, KubeObject, readonly TailnetDevice[]]>([
  ['it got that after the copy was made', own({ ...newer, device_id: 'nNewer' }, 'nOperator'), both],
  ['it never went on as another', own({ ...newer, device_id: 'nNewer' }), both],
])('the proxy keeps a device of its own if %s', async (_why, present, found) => {
  const more = { objects: [secret('operator', state), present], found: [...found] }
  expect(await goingOn(more)).toEqual({ former: 'none', written: [] })
})

test('the proxy keeps its device if the new one of Tailscale’s operator was removed', async () => {
  const more = { objects: [secret('operator', newer), copy], found: [device()] }
  expect(await goingOn(more)).toEqual({ former: 'none', written: [] })
})
