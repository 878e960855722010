import { beforeEach, expect, test } from 'vitest'
import type { ApplyOptions } from '../../../kube/controller/apply.ts'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { systemClock } from '../../../lib/clock.ts'
import { ApiError } from '../../../operator/api/error.ts'
import { labelsOf } from '../../../operator/objects/parent.ts'
import type { Tailnet } from '../../../operator/proxy/keying.ts'
import { removal } from '../../../operator/proxy/remove.ts'
import { proxySecrets } from '../../../operator/proxy/secrets.ts'
import { worldOf } from '../a-world.ts'
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
  removeKey: async (id) => void calls.push(`remove key ${id}`),
  removeDevice: async (id) => {
    if (failure !== undefined) throw failure
    calls.push(`remove device ${id}`)
  },
}
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

/** Applies the Secret of one replica, where the cache and the API have these. */
async function applied(
  cached: KubeObject | undefined,
  present: KubeObject | undefined,
  fails?: Error,
): Promise<number | undefined> {
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
  const secrets = proxySecrets({ api: { get }, world, apply, tailnet, settings, clock })
  return secrets({ object, parent, name: 'ts-web-1', request, acceptRoutes: false }, flight)
}

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

test('a device that needs another key goes first', async () => {
  const asking = secret({ 'cap-107.hujson': '{"AuthKey":"old"}', reissue_authkey: 'old', device_id: 'n1' })
  await applied(asking, asking)
  expect(calls.slice(1, 3)).toEqual(['remove device n1', 'mint tag:k8s Service prod web 86400'])
})

const refused = new ApiError('refused', { problem: 'credentials' })

/** Removes the Secret of a parent that was deleted so many minutes ago. */
async function removed(present: KubeObject, minutes: number | undefined): Promise<boolean> {
  const deletionTimestamp = minutes === undefined ? undefined : new Date(time - minutes * 60_000).toISOString()
  const deleted = { ...object, metadata: { ...object.metadata, ...(deletionTimestamp && { deletionTimestamp }) } }
  const { removeAll } = removal({
    api: { get: async () => present, delete: async () => undefined },
    caches: { world: worldOf(present), store: () => expect.fail('nothing else is there') },
    prune: async (objects) => {
      for (const { kind, metadata } of objects) calls.push(`delete ${kind} ${metadata.name}`)
      return 0
    },
    tailnet,
    tell: async (_about, { reason, message }) => void calls.push(`${reason} ${message}`),
    clock,
  })
  return removeAll(parent, deleted, flight)
}

test('a device goes before its Secret, also one of which only tailscaled knows', async () => {
  expect(await removed(secret({ device_id: 'n1' }), 0)).toBe(false)
  await removed(secret({ '_current-profile': 'p', p: '{"Config":{"NodeID":"n2"}}' }), undefined)
  expect(calls).toEqual([
    'remove device n1',
    'delete Secret ts-web-1-0',
    'remove device n2',
    'delete Secret ts-web-1-0',
  ])
})

test('a key that nobody has used goes with its Secret', async () => {
  await removed(secret({ 'cap-107.hujson': '{"AuthKey":"x"}' }, { annotations: { 'culvert/auth-key-id': 'k7' } }), 0)
  expect(calls).toEqual(['remove key k7', 'delete Secret ts-web-1-0'])
})

test('a deletion waits for Tailscale’s API for ten minutes, and then names what it leaves', async () => {
  failure = refused
  await expect(removed(secret({ device_id: 'n1' }), 9)).rejects.toBe(refused)
  await expect(removed(secret({ device_id: 'n1' }), undefined)).rejects.toBe(refused)
  expect(calls).toEqual([])
  await removed(secret({ device_id: 'n1' }), 11)
  expect(calls).toEqual([
    'DeviceNotRemoved device n1 is left in the tailnet, since it could not be removed: refused',
    'delete Secret ts-web-1-0',
  ])
})
