import { beforeEach, expect, test } from 'vitest'
import type { ApplyOptions } from '../../../kube/controller/apply.ts'
import type { Event } from '../../../kube/controller/events.ts'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { systemClock } from '../../../lib/clock.ts'
import type { Log } from '../../../lib/log.ts'
import { ApiError } from '../../../operator/api/error.ts'
import { labelsOf } from '../../../operator/objects/parent.ts'
import { keyExpires } from '../../../operator/proxy/auth-key.ts'
import type { Tailnet } from '../../../operator/proxy/keying.ts'
import { removal } from '../../../operator/proxy/remove.ts'
import { proxySecrets } from '../../../operator/proxy/secrets.ts'
import { publicMachineKey } from '../../../wire/machine-key.ts'
import { worldOf } from '../a-world.ts'
import { machineKeyFor } from '../played-state.ts'
import { request, settings } from './requests.ts'

const parent = { type: 'svc', namespace: 'prod', name: 'web' } as const
const object: KubeObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'prod', uid: 'u1' },
}
const flight = { signal: new AbortController().signal, wrote: () => {} }

let time = 0
const clock = { ...systemClock, now: () => time, date: () => new Date(time) }

let calls: string[]
let failure: unknown
let expires: Date | undefined
beforeEach(() => {
  calls = []
  expires = undefined
  failure = undefined
  time = Date.parse('2026-01-01T00:00:00Z')
})

const tailnet: Tailnet = {
  mintKey: async ({ tags, description, expirySeconds }) => {
    calls.push(`mint ${tags.join()} ${description} ${expirySeconds}`)
    return { key: 'tskey', id: 'k1', expires }
  },
  getKey: async (id) => ({ id, description: id === 'k7' ? 'Service prod web' : 'Service prod other' }),
  removeKey: async (id) => void calls.push(`remove key ${id}`),
  getDevice: async (id) => {
    if (failure !== undefined) throw failure
    return id === 'gone' ? undefined : { ...device, id, name: `${id}.lab.ts.net` }
  },
  removeDevice: async (id) => {
    if (failure !== undefined) throw failure
    calls.push(`remove device ${id}`)
  },
}
const own = machineKeyFor('own')
const device = { hostname: 'web', addresses: [], tags: ['tag:k8s'], machineKey: publicMachineKey(own) }
const log: Log = ({ text }) => calls.push(`log ${text}`)
const tell = async ({ metadata }: KubeObject, { reason, message }: Event): Promise<void> =>
  void calls.push(`${reason} of ${metadata.name}: ${message}`)

const secret = (
  texts: Readonly<Record<string, string>>,
  metadata: Partial<KubeObject['metadata']> = {},
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'ts-web-1-0', namespace: 'tailscale', uid: 's1', labels: labelsOf(parent), ...metadata },
  data: Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')] as const),
  ),
})

/** What applies the Secret of one replica, where the cache and the API have these. */
function applying(cached: KubeObject | undefined, present: KubeObject | undefined, fails?: Error) {
  const apply = async ({ data, metadata }: KubeObject, _flight: unknown, _options?: ApplyOptions) => {
    if (fails !== undefined) throw fails
    const { 'cap-107.hujson': text = '' } = data as Record<string, string>
    const hasKey = Buffer.from(text, 'base64').toString().includes('"AuthKey":"tskey"')
    calls.push(`apply ${metadata.name}${hasKey ? ' with the key' : ''} ${JSON.stringify(metadata.annotations ?? {})}`)
    return 'written' as const
  }
  const get = async () => {
    calls.push('get')
    return present
  }
  const world = worldOf(...(cached === undefined ? [] : [cached]))
  const secrets = proxySecrets({ api: { get }, world, apply, tailnet, settings, clock, tell, log })
  return () => secrets({ object, parent, name: 'ts-web-1', request, acceptRoutes: false }, flight)
}
const applied = (...given: Parameters<typeof applying>): Promise<number | undefined> => applying(...given)()

test('a key is made when the Secret itself shows that one is needed, with its limits', async () => {
  expect(await applied(undefined, undefined)).toBe(86_400_000)
  expect(calls).toEqual([
    'get',
    'mint tag:k8s Service prod web 86400',
    'apply ts-web-1-0 with the key {"culvert/auth-key-id":"k1","culvert/auth-key-expires":"2026-01-02T00:00:00.000Z"}',
  ])
})

test('a key that is over already, as the server says, counts as new, so that no other follows at once', async () => {
  expires = new Date('0001-01-01T00:00:00Z')
  expect(await applied(undefined, undefined)).toBe(86_400_000)
  expect(calls.at(-1)).toContain('"culvert/auth-key-expires":"2026-01-02T00:00:00.000Z"')
})

test('a proxy that calls its key expired gets another one, and not without end', async () => {
  const over = { [keyExpires]: '2025-01-01T00:00:00Z' }
  const expired = secret({ 'cap-107.hujson': '{"AuthKey":"old"}' }, { annotations: over })
  const apply = applying(expired, expired)
  const waits = [await apply(), await apply(), await apply()]
  expect(waits).toEqual([86_400_000, 86_400_000, 30_000])
  expect(calls.filter((call) => call.startsWith('mint'))).toHaveLength(2)
  time += 30_000
  expect(await apply()).toBe(86_400_000)
})

test('no key is made if only the cache lacks the device', async () => {
  await applied(undefined, secret({ device_id: 'n1' }))
  expect(calls).toEqual(['get', 'apply ts-web-1-0 {}'])
})

test('no key is made for a Secret of somebody else', async () => {
  await expect(applied(undefined, secret({}, { labels: {} }))).rejects.toThrow('belongs to somebody else')
  expect(calls).toEqual(['get'])
})

test('a key that could not be written is taken back', async () => {
  await expect(applied(undefined, undefined, new Error('quota'))).rejects.toThrow('quota')
  expect(calls.at(-1)).toBe('remove key k1')
})

const asking = (_machinekey: string) =>
  secret({ 'cap-107.hujson': '{"AuthKey":"old"}', reissue_authkey: 'old', device_id: 'n1', _machinekey })
const leftAlone =
  'device n1 (n1.lab.ts.net) stays in the tailnet: Secret "ts-web-1-0" names it, but does not hold its machine key, so it is probably another device. Remove it there if it is the proxy’s.'

test('a device that needs another key goes first', async () => {
  await applied(asking(own), asking(own))
  expect(calls.slice(1, 3)).toEqual(['remove device n1', 'mint tag:k8s Service prod web 86400'])
})

test('a proxy that asks for another key, and names a device that is not its own, gets the key, and the device stays', async () => {
  await applied(asking(machineKeyFor('other')), asking(machineKeyFor('other')))
  expect(calls.slice(1, 4)).toEqual([
    `log warning: ${leftAlone}`,
    `NotOurs of web: ${leftAlone}`,
    'mint tag:k8s Service prod web 86400',
  ])
})

const refused = new ApiError('refused', { problem: 'credentials' })

/** Gives what removes the Secret of a parent, which is being deleted. */
function removing(present: KubeObject, deletionTimestamp: string | undefined = new Date(time).toISOString()) {
  const deleted = { ...object, metadata: { ...object.metadata, ...(deletionTimestamp && { deletionTimestamp }) } }
  const { removeAll } = removal({
    api: {
      get: async () => present,
      delete: async () => undefined,
      page: async () => ({ objects: [], next: undefined, version: '' }),
      patch: async () => expect.fail('nothing else is there'),
    },
    settings,
    caches: { world: worldOf(present), store: () => expect.fail('nothing else is there') },
    prune: async (objects) => {
      for (const { kind, metadata } of objects) calls.push(`delete ${kind} ${metadata.name}`)
      return 0
    },
    tailnet,
    tell,
    log,
    clock,
  })
  return () => removeAll(parent, deleted, flight)
}
const removed = (present: KubeObject) => removing(present)()

test('a device goes before its Secret, also one of which only tailscaled knows', async () => {
  expect(await removed(secret({ device_id: 'n1', _machinekey: own }))).toBe(false)
  await removed(secret({ '_current-profile': 'p', p: '{"Config":{"NodeID":"n2"}}', _machinekey: own }))
  expect(calls).toEqual([
    'remove device n1',
    'delete Secret ts-web-1-0',
    'remove device n2',
    'delete Secret ts-web-1-0',
  ])
})

test.each([
  ['none', {}],
  ['that of another device', { _machinekey: machineKeyFor('other') }],
  ['what is no key', { _machinekey: 'privkey:00' }],
])('a device is left alone, and told, if the Secret that names it has for its machine key %s', async (_what, texts) => {
  await removed(secret({ device_id: 'n1', ...texts }))
  expect(calls).toEqual([`log warning: ${leftAlone}`, `NotOurs of web: ${leftAlone}`, 'delete Secret ts-web-1-0'])
})

test('a device that is gone already does not keep its Secret', async () => {
  await removed(secret({ device_id: 'gone' }))
  expect(calls).toEqual(['delete Secret ts-web-1-0'])
})

test('an auth key that was made for something else is left alone, and told', async () => {
  await removed(secret({ 'cap-107.hujson': '{"AuthKey":"x"}' }, { annotations: { 'culvert/auth-key-id': 'k8' } }))
  const message =
    'auth key k8 stays in the tailnet: Secret "ts-web-1-0" names it, but it was not made for Service prod web. Revoke it there if nothing else needs it.'
  expect(calls).toEqual([`log warning: ${message}`, `NotOurs of web: ${message}`, 'delete Secret ts-web-1-0'])
})

test('a key that nobody has used goes with its Secret', async () => {
  await removed(secret({ 'cap-107.hujson': '{"AuthKey":"x"}' }, { annotations: { 'culvert/auth-key-id': 'k7' } }))
  expect(calls).toEqual(['remove key k7', 'delete Secret ts-web-1-0'])
})

test('a deletion waits for Tailscale’s API for ten minutes of failures, and then names what it leaves', async () => {
  failure = refused
  // That the operator was away before does not count.
  const remove = removing(secret({ device_id: 'n1' }), '2025-01-01T00:00:00Z')
  const removeLater = removing(secret({ device_id: 'n1' }), '')
  await expect(remove()).rejects.toBe(refused)
  await expect(removeLater()).rejects.toBe(refused)
  time += 9 * 60_000
  await expect(remove()).rejects.toBe(refused)
  expect(calls).toEqual([])
  time += 60_000
  await expect(removeLater()).rejects.toBe(refused)
  await remove()
  expect(calls).toEqual([
    'DeviceNotRemoved of web: device n1 is left in the tailnet, since it could not be removed: refused',
    'delete Secret ts-web-1-0',
  ])
})
