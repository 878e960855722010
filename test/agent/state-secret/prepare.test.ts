import { expect, it } from 'vitest'
import { bootReset } from '../../../agent/state-secret/prepare.ts'

const reset = (texts: Record<string, string>, uid = 'u1', configKey?: string) => {
  const data = new Map(Object.entries(texts).map(([key, value]) => [key, Buffer.from(value)]))
  return Object.fromEntries(bootReset({ data }, uid, 142, configKey))
}

const own = { tailscale_capver: '142', pod_uid: 'u1' }

it.each<[string, Record<string, string>, Record<string, string | null>]>([
  ['an empty Secret', {}, own],
  ['the Secret of this run', { ...own, device_id: 'n', device_ips: '[]', authkey: 'k' }, {}],
  ['another tailscaled', { ...own, tailscale_capver: '113' }, { tailscale_capver: '142' }],
  ['another Pod', { ...own, pod_uid: 'u0' }, { pod_uid: 'u1' }],
  [
    'keys of an earlier serve config',
    { ...own, https_endpoint: 'a', 'egress-services': '{}', 'ingress-config.json': '{}', other: 'x' },
    { https_endpoint: null, 'egress-services': null, 'ingress-config.json': null },
  ],
])('%s', (_name, texts, change) => {
  expect(reset(texts)).toEqual(change)
})

it('no UID is written when none is known', () => {
  expect(reset({}, '')).toEqual({ tailscale_capver: '142' })
})

it.each<[string, string | undefined, boolean]>([
  ['another key', 'new', true],
  ['the same key', 'old', false],
  ['an empty key', '', false],
  ['no config file', undefined, false],
])('a request for another auth key is answered by %s: %s, %s', (_name, configKey, cleared) => {
  expect(reset({ ...own, reissue_authkey: 'old' }, 'u1', configKey)).toEqual(cleared ? { reissue_authkey: null } : {})
})
