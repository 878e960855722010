import { describe, expect, it } from 'vitest'
import { type Change, joined, stepOf, type Texts } from './played-state.ts'

const config = (authKey?: string): string =>
  JSON.stringify({ Hostname: 'a', ...(authKey !== undefined && { AuthKey: authKey }) })
const node = { id: 'n1', fqdn: 'a.lab.ts.net', addresses: ['100.64.0.1'], machineKey: 'privkey:0' }

/** A Secret after a change. */
const after = (texts: Texts, change: Change): Texts =>
  Object.fromEntries(Object.entries({ ...texts, ...change }).filter(([, text]) => text !== null)) as Texts

const fresh: Texts = { 'cap-95.hujson': config('old'), 'cap-107.hujson': config('k1'), 'cap-900.hujson': config('new') }
const running = after(after(fresh, stepOf(fresh, 'u1', undefined).change), joined(node))

describe('a played agent', () => {
  it('joins with the key of the config for its version, and says which Pod it is', () => {
    expect(stepOf(fresh, 'u1', undefined)).toEqual({
      change: {
        pod_uid: 'u1',
        tailscale_capver: '142',
        https_endpoint: null,
        'egress-services': null,
        'ingress-config.json': null,
      },
      does: 'join',
      hostname: 'a',
      authKey: 'k1',
    })
  })

  it('waits without a config', () => expect(stepOf({}, 'u1', undefined)).toEqual({ change: {}, does: 'wait' }))

  it('has nothing to write once it runs', () => {
    expect(running).toMatchObject({ device_id: 'n1', device_fqdn: 'a.lab.ts.net.', device_ips: '["100.64.0.1"]' })
    expect(stepOf(running, 'u1', undefined)).toEqual({ change: {}, does: 'run' })
    expect(stepOf({ ...running, 'cap-107.hujson': config() }, 'u1', undefined)).toEqual({ change: {}, does: 'run' })
  })

  it('is the same node in a new Pod', () => {
    expect(stepOf(running, 'u2', undefined)).toMatchObject({ change: { pod_uid: 'u2' }, does: 'run' })
  })

  it('says under which name it serves, or that there are no certificates', () => {
    const served = { ...running, 'serve-config': '{}' }
    expect(stepOf(served, 'u1', undefined).change).toEqual({ https_endpoint: 'a.lab.ts.net' })
    expect(stepOf(served, 'u1', 'no-https').change).toEqual({ https_endpoint: 'no-https' })
    expect(stepOf({ ...served, https_endpoint: 'a.lab.ts.net' }, 'u1', undefined).change).toEqual({})
  })

  it('asks for another key if there is none, or if it is refused, and joins anew with it', () => {
    expect(stepOf({ 'cap-107.hujson': config() }, 'u1', undefined)).toMatchObject({
      change: { reissue_authkey: '' },
      does: 'wait',
    })
    const refused = stepOf(running, 'u1', 'key-refused')
    expect(refused).toEqual({ change: { reissue_authkey: 'k1' }, does: 'wait' })
    const asked = after(running, refused.change)
    expect(stepOf(asked, 'u1', 'key-refused')).toEqual({ change: {}, does: 'wait' })
    expect(stepOf({ ...asked, 'cap-107.hujson': config('k2') }, 'u1', undefined)).toMatchObject({
      change: { reissue_authkey: null, device_id: null, device_fqdn: null },
      does: 'join',
      authKey: 'k2',
    })
  })
})
