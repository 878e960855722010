import { expect, test } from 'vitest'
import type { Patch } from '../../../kube/controller/api.ts'
import type { KubeObject, Name } from '../../../kube/controller/object.ts'
import type { TailnetDevice } from '../../../operator/api/api.ts'
import { formerState } from '../../../operator/api-server/former-state.ts'
import { apiProxyParent } from '../../../operator/api-server/request.ts'
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

const usual = {
  objects: [secret('operator', state)],
  seen: [] as KubeObject[],
  found: device() as TailnetDevice | undefined,
}
/** What becomes of `apiserver-proxy-0`, and what is written. */
async function goingOn(more: Partial<typeof usual> = {}, operatorSecret = 'operator') {
  const { objects, seen, found } = { ...usual, ...more }
  const written: { readonly name: Name; readonly patch: Patch }[] = []
  const goesOn = formerState({
    api: {
      get: async (_resource, { name }) => objects.find(({ metadata }) => metadata.name === name),
      patch: async (_resource, name, patch) => {
        written.push({ name, patch })
        return secret('written', {})
      },
    },
    tailnet: { getDevice: async (id) => (found?.id === id ? found : undefined) },
    world: worldOf(...seen),
    settings: { ...settings, operatorSecret },
  })
  const signal = new AbortController().signal
  return { former: await goesOn(apiProxyParent(settings), 'apiserver-proxy-0', signal), written }
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
        body: { kind: 'Secret', metadata: { labels: { 'tailscale.com/parent-resource-type': 'apiserver' } } },
      },
    },
  ])
  const data = encoded({ ...state, device_id: 'nOperator' })
  expect((written[0]!.patch.body as KubeObject)['data']).toEqual(data)
  expect(written[0]!.patch.hidden).toEqual(expect.arrayContaining(Object.values(data)))
})

test.each<[string, Partial<typeof usual>, string?]>([
  ['there is no such Secret', { objects: [] }],
  ['none is named', {}, ''],
  ['it has no node', { objects: [secret('operator', { ...state, 'profile-1a2b': '{}' })] }],
  ['it has no machine key', { objects: [secret('operator', { ...state, _machinekey: '' })] }],
  ['its device was removed', { found: undefined }],
  ['the proxy has a Secret already', { objects: [...usual.objects, secret('apiserver-proxy-0', {})] }],
  ['the cache shows one', { seen: [secret('apiserver-proxy-0', {})] }],
])('nothing is copied if %s', async (_why, more, named) => {
  expect(await goingOn(more, named)).toEqual({ former: 'none', written: [] })
})

test('while the device is connected, it waits', async () => {
  const { former, written } = await goingOn({ found: device({ isConnected: true }) })
  expect(former).toMatchObject({ refused: { as: 'pending', reason: 'DeviceInUse' } })
  expect(written).toEqual([])
  // A control server that does not say so is believed.
  expect((await goingOn({ found: device({ isConnected: undefined }) })).former).toBe('copied')
})
