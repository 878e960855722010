import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bootReset } from '../../../agent/state-secret/prepare.ts'
import { identityKeys, isConsistent, inspectState } from '../../../agent/state-secret/tailscaled-state.ts'

const blob = (nodeId: string): string =>
  JSON.stringify({ Hostname: 'a', Config: { PrivateNodeKey: `privkey:${'1'.repeat(64)}`, NodeID: nodeId } })
const machine = { _machinekey: `privkey:${'0a'.repeat(32)}` }
const index = (...ids: string[]): string =>
  JSON.stringify(Object.fromEntries(ids.map((id) => [id, { ID: id, Name: 'x', Key: `profile-${id}` }])))
const whole = { ...machine, '_current-profile': 'profile-a1', _profiles: index('a1'), 'profile-a1': blob('n1') }

const data = (texts: Readonly<Record<string, string | undefined>>) =>
  new Map(Object.entries(texts).flatMap(([key, value]) => (value === undefined ? [] : [[key, Buffer.from(value)]])))

describe('tailscaled’s state counts as', () => {
  it.each<[string, Record<string, string | undefined>, string]>([
    ['an empty Secret', {}, 'fresh'],
    ['keys of others', { authkey: 'k', device_id: 'n1' }, 'fresh'],
    ['a machine that never logged in', machine, 'fresh'],
    ['a complete state', whole, 'whole'],
    ['two profiles, one in use', { ...whole, 'profile-b2': blob('n2'), _profiles: index('a1', 'b2') }, 'whole'],
  ])('%s', (_name, texts, kind) => {
    expect(inspectState(data(texts)).kind).toBe(kind)
  })

  it.each<[string, Record<string, string | undefined>, Record<string, string>, RegExp]>([
    ['no current profile', { '_current-profile': undefined }, { '_current-profile': 'profile-a1' }, /names no profile/],
    ['an empty current profile', { '_current-profile': '' }, { '_current-profile': 'profile-a1' }, /names no profile/],
    [
      'a current profile that does not exist',
      { '_current-profile': 'profile-zz' },
      { '_current-profile': 'profile-a1' },
      /names/,
    ],
    ['no index', { _profiles: undefined }, { _profiles: '{"a1":{"ID":"a1","Key":"profile-a1"}}' }, /does not list/],
    [
      'an index that is not JSON',
      { _profiles: '{"a1"' },
      { _profiles: '{"a1":{"ID":"a1","Key":"profile-a1"}}' },
      /does not/,
    ],
    [
      'neither index nor current profile',
      { _profiles: undefined, '_current-profile': undefined },
      { _profiles: '{"a1":{"ID":"a1","Key":"profile-a1"}}', '_current-profile': 'profile-a1' },
      /does not list every profile, and _current-profile names no profile/,
    ],
    [
      'two profiles, and none in use: the one of this device',
      { 'profile-b2': blob('n2'), _profiles: index('a1', 'b2'), '_current-profile': undefined, device_id: 'n2' },
      { '_current-profile': 'profile-b2' },
      /names no profile/,
    ],
  ])('%s is repaired', (_name, texts, change, problem) => {
    const verdict = inspectState(data({ ...whole, ...texts }))
    expect(verdict).toMatchObject({ kind: 'healable', change: new Map(Object.entries(change)) })
    expect(verdict.kind === 'healable' && verdict.problem).toMatch(problem)
  })

  it('a repaired state is complete', () => {
    for (const missing of ['_current-profile', '_profiles']) {
      const texts = { ...whole, [missing]: undefined }
      const verdict = inspectState(data(texts))
      const healed = { ...texts, ...(verdict.kind === 'healable' && Object.fromEntries(verdict.change)) }
      expect(inspectState(data(healed))).toEqual({ kind: 'whole' })
    }
  })

  it.each<[string, Record<string, string | undefined>, RegExp]>([
    ['no machine key', { _machinekey: undefined }, /_machinekey is missing/],
    ['a malformed machine key', { _machinekey: 'privkey:12' }, /_machinekey is no machine key/],
    ['no profile', { 'profile-a1': undefined }, /profile-… is missing/],
    ['a profile that is not JSON', { 'profile-a1': '{' }, /profile-a1.*is no profile/],
    ['a profile without a key', { 'profile-a1': '{"Config":{}}' }, /profile-a1.*is no profile/],
    [
      'two profiles, and none in use, of an unknown device',
      { 'profile-b2': blob('n2'), '_current-profile': undefined },
      /none of the 2 profiles/,
    ],
  ])('%s is not repaired', (_name, texts, problem) => {
    const verdict = inspectState(data({ ...whole, ...texts }))
    expect(verdict.kind).toBe('broken')
    expect(verdict.kind === 'broken' && verdict.problem).toMatch(problem)
  })

  it('messages never contain a value', () => {
    const values = [machine['_machinekey'], blob('n1'), 'secret-garbage']
    for (const key of Object.keys(whole)) {
      for (const value of ['secret-garbage', undefined]) {
        const reported = JSON.stringify(inspectState(data({ ...whole, [key]: value })))
        for (const secret of values) expect(reported).not.toContain(secret)
      }
    }
  })
})

describe('the state is consistent at the stop', () => {
  it.each<[string, Record<string, string | undefined>, boolean]>([
    ['nothing', { device_id: 'x' }, true],
    ['a complete state', whole, true],
    ['a machine key alone', machine, false],
    ['no profile yet', { ...whole, 'profile-a1': undefined }, false],
    ['a profile alone', { 'profile-a1': '{}' }, false],
    ['an older profile besides', { ...whole, 'profile-b2': '{}' }, true],
    [
      'two profiles, the current one missing',
      { ...whole, '_current-profile': 'profile-c3', 'profile-b2': '{}' },
      false,
    ],
  ])('%s: %s', (_name, texts, consistent) => {
    expect(isConsistent(data(texts))).toBe(consistent)
  })
})

it('the identity consists of machine key, profile index and current profile', () => {
  expect(identityKeys(data({ ...whole, 'profile-b2': '{}' }))).toEqual([
    '_machinekey',
    '_current-profile',
    '_profiles',
    'profile-a1',
  ])
  expect(identityKeys(data({ '_current-profile': 'authkey' }))).not.toContain('authkey')
})

it('any Secret is inspected, repaired in one step if at all, and no message contains a value', () => {
  const hidden = 'kept-to-itself'
  const name = fc.constantFrom(
    ...Object.keys(whole),
    'profile-b2',
    'profile-',
    'device_id',
    'reissue_authkey',
    '__proto__',
  )
  const value = fc.oneof(
    fc.constantFrom(
      ...Object.values(whole),
      blob('n2'),
      index('a1', 'b2'),
      index('__proto__'),
      'profile-b2',
      'n1',
      hidden,
      '',
    ),
    fc.json().map((text) => text.slice(0, 1000)),
    fc.constantFrom(
      '{"__proto__":{"Key":"profile-a1"}}',
      `{"Config":{"PrivateNodeKey":"${hidden}"}}`,
      '['.repeat(100_000),
    ),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 8 }), fc.boolean(), (entries, complete) => {
      const start = complete ? Object.entries(whole) : []
      const held = new Map([...start, ...entries].map(([key, content]) => [key, Buffer.from(content)] as const))
      const verdict = inspectState(held)
      if ('problem' in verdict) expect(verdict.problem).not.toContain(hidden)
      if (verdict.kind === 'healable') {
        for (const [key, text] of verdict.change) held.set(key, Buffer.from(text))
        expect(inspectState(held)).toEqual({ kind: 'whole' })
      }
      expect(isConsistent(held)).toBeTypeOf('boolean')
      for (const key of [...identityKeys(held), ...bootReset({ data: held }, 'u', 142, hidden).keys()])
        expect(key).not.toBe('authkey')
    }),
    { numRuns: 2000 },
  )
})
