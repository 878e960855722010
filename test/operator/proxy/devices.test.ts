import { expect, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { labelValue } from '../../../operator/objects/parent.ts'
import { keyDescription, keyDescriptionFor, keyNeed } from '../../../operator/proxy/auth-key.ts'
import { deviceConfigs } from '../../../operator/proxy/device-config.ts'
import { deviceIdIn, readDevice } from '../../../operator/proxy/state.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const secret = (
  texts: Readonly<Record<string, string>>,
  annotations: Readonly<Record<string, string>> = {},
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'ts-web-0', namespace: 'tailscale', annotations },
  data: Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, base64(text)])),
})
const config = (AuthKey?: string): string => JSON.stringify({ Version: 'alpha0', AuthKey })
const now = new Date('2026-01-02T00:00:00Z')
const expires = { 'culvert/auth-key-id': 'k1', 'culvert/auth-key-expires': '2026-01-02T12:00:00.000Z' }
const expired = { ...expires, 'culvert/auth-key-expires': '2026-01-01T23:59:59.000Z' }

const mint = { need: 'mint', instead: undefined, isReissue: false }
const keep = (key: string, id?: string) => ({ need: 'keep', held: expect.objectContaining({ key, id }) as unknown })
test.each<[string, KubeObject | undefined, unknown]>([
  ['has none is new', undefined, mint],
  ['is empty is new', secret({}), mint],
  [
    'has a key keeps it until the device has joined',
    secret({ 'cap-107.hujson': config('one') }, expires),
    keep('one', 'k1'),
  ],
  [
    'has a key of another operator keeps it',
    secret({ 'cap-95.hujson': config('zero'), 'cap-107.hujson': config('one') }),
    keep('one'),
  ],
  ['has a key that nobody has used in time gets another', secret({ 'cap-107.hujson': config('one') }, expired), mint],
  ['has joined needs none', secret({ 'cap-107.hujson': config('one'), device_id: 'n1' }, expires), { need: 'none' }],
  [
    'asks for another than it has gets one, for a new device',
    secret({ 'cap-107.hujson': config('one'), reissue_authkey: 'one', device_id: 'n1' }, expires),
    { need: 'mint', instead: 'n1', isReissue: true },
  ],
  [
    'asks for any, since its key was removed, gets one',
    secret({ 'cap-107.hujson': config(), reissue_authkey: '', device_id: 'n1' }),
    { need: 'mint', instead: 'n1', isReissue: true },
  ],
  [
    'asks for another, and has not read it yet, keeps that',
    secret({ 'cap-107.hujson': config('two'), reissue_authkey: 'one', device_id: 'n1' }, expires),
    keep('two', 'k1'),
  ],
  [
    'has the state of a node that has joined with another program needs none',
    secret({ '_current-profile': 'profile-1', 'profile-1': '{"Config":{"NodeID":"n1"}}' }),
    { need: 'none' },
  ],
  ['has a config that is no JSON is new', secret({ 'cap-107.hujson': '{' }), mint],
])('a replica whose Secret %s', (_what, present, need) => {
  expect(keyNeed({ config: present, state: present }, now)).toEqual(need)
})

test.each([
  ['Service', 'prod', 'web', 'Service prod web'],
  ['Connector', undefined, 'site.a', 'Connector site-a'],
  ['Service', 'n'.repeat(40), 'web', `Service ${'n'.repeat(40)} w`],
])('the description of the key of %s %s/%s can be read in the tailnet', (kind, namespace, name, text) => {
  const metadata = { name, ...(namespace !== undefined && { namespace }) }
  expect(keyDescription({ kind, metadata })).toBe(text)
})

test('the key of a parent that is gone is known by the same description, also where labels cut its name', () => {
  const long = { namespace: 'n'.repeat(20), name: 'web-'.repeat(20) }
  expect(keyDescriptionFor({ type: 'svc', ...long, name: labelValue(long.name) })).toBe(
    keyDescription({ kind: 'Service', metadata: long }),
  )
  expect(keyDescriptionFor({ type: 'connector', namespace: '', name: 'site' })).toBe('Connector site')
})

test('the device config has the fields and the case that tailscaled reads', () => {
  const options = {
    loginServer: 'https://controlplane.tailscale.com',
    hostname: 'default-nginx',
    acceptRoutes: false,
    authKey: 'tskey-auth-x',
    device: {},
  }
  expect(deviceConfigs(options)).toEqual({
    'cap-95.hujson':
      '{"Version":"alpha0","Locked":false,"ServerURL":"https://controlplane.tailscale.com","AuthKey":"tskey-auth-x","Hostname":"default-nginx","acceptDNS":false,"acceptRoutes":false,"NoStatefulFiltering":true}',
    'cap-107.hujson':
      '{"Version":"alpha0","Locked":false,"ServerURL":"https://controlplane.tailscale.com","AuthKey":"tskey-auth-x","Hostname":"default-nginx","acceptDNS":false,"acceptRoutes":false,"AppConnector":{"Advertise":false},"NoStatefulFiltering":true}',
  })
  const router = { AdvertiseRoutes: ['10.0.0.0/8'], AppConnector: { Advertise: true } }
  const later = deviceConfigs({ ...options, authKey: undefined, acceptRoutes: true, device: router })
  expect(JSON.parse(later['cap-107.hujson'])).toMatchObject({ ...router, acceptRoutes: true })
  expect(later['cap-107.hujson']).not.toContain('AuthKey')
  expect(later['cap-95.hujson']).not.toContain('AppConnector')
})

const pod = (uid: string, ready = true, deletionTimestamp?: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'ts-web-0', uid, ...(deletionTimestamp !== undefined && { deletionTimestamp }) },
  status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
})
const state = {
  device_id: 'n1',
  device_fqdn: 'web.tail.ts.net.',
  device_ips: '["100.64.0.1","fd7a:115c:a1e0::1"]',
  pod_uid: 'p1',
  tailscale_capver: '142',
  https_endpoint: 'web.tail.ts.net',
}
test('a device is read from its Secret and its Pod', () => {
  const device = {
    ordinal: 3,
    id: 'n1',
    fqdn: 'web.tail.ts.net',
    addresses: ['100.64.0.1', 'fd7a:115c:a1e0::1'],
    httpsEndpoint: 'web.tail.ts.net',
    isCurrent: true,
    isReady: true,
  }
  expect(readDevice(3, secret(state), pod('p1'))).toEqual(device)
  expect(readDevice(3, secret({ ...state, https_endpoint: 'no-https' }), pod('p1')).httpsEndpoint).toBe('no-https')
  expect(readDevice(3, secret({ ...state, https_endpoint: '' }), pod('p1')).httpsEndpoint).toBeUndefined()
  // What an earlier Pod has served says nothing, and old agents do not say it.
  expect(readDevice(3, secret(state), pod('p2'))).toEqual({ ...device, isCurrent: false })
  expect(readDevice(3, secret({ ...state, tailscale_capver: '108', https_endpoint: 'x' }), pod('p1'))).toEqual(device)
  expect(readDevice(3, secret(state), pod('p1', false)).isReady).toBe(false)
  expect(readDevice(3, secret(state), pod('p1', true, 'now')).isReady).toBe(false)
  expect(readDevice(0, undefined, undefined)).toEqual({
    ordinal: 0,
    id: undefined,
    fqdn: undefined,
    addresses: [],
    httpsEndpoint: undefined,
    isCurrent: false,
    isReady: false,
  })
})

test.each(['NOT A NAME', 'web.tail.ts.net\n', '-', 'a..b', `${'a'.repeat(63)}.`.repeat(5), '\u001b[31m'])(
  'a name that is none, %j, counts as absent',
  (text) => {
    const device = readDevice(0, secret({ ...state, device_fqdn: text, https_endpoint: text }), pod('p1'))
    expect(device).toMatchObject({ id: 'n1', fqdn: undefined, httpsEndpoint: undefined })
  },
)

test.each<[string, Readonly<Record<string, string>>, string | undefined]>([
  ['the agent has written', { device_id: 'n1' }, 'n1'],
  [
    'only tailscaled knows',
    { '_current-profile': 'profile-1', 'profile-1': '{"Config":{"NodeID":"n2","PrivateNodeKey":"x"}}' },
    'n2',
  ],
  ['does not exist', { '_current-profile': 'profile-1', 'profile-1': '{"Config":{"NodeID":""}}' }, undefined],
  ['does not exist, without a profile', { '_current-profile': 'profile-1' }, undefined],
  ['does not exist, without state', {}, undefined],
])('the device that %s is found', (_what, texts, id) => {
  expect(deviceIdIn(secret(texts))).toBe(id)
})
