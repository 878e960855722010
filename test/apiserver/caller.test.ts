import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Caller, isStill, readCaller } from '../../apiserver/caller.ts'
import { Refused } from '../../apiserver/refused.ts'
import { parseAddress } from '../../lib/address.ts'
import { aWhois, capability, granting, groups } from './a-whois.ts'

const address = parseAddress('100.64.0.7')!
const now = new Date('2026-11-30T12:00:00Z')
const read = (options: Parameters<typeof aWhois>[1] = {}): Caller =>
  readCaller(aWhois(address.text, options), address, now)
const tags = { Tags: ['tag:ci', 'tag:x'] }
const earlier = `https://${capability}`

function refusedBy(action: () => unknown): Refused {
  try {
    action()
  } catch (error) {
    if (error instanceof Refused) return error
    throw error
  }
  throw new Error('it was not refused')
}

describe('a peer acts as', () => {
  it.each<[string, Parameters<typeof aWhois>[1], user: string, groups: string[]]>([
    ['its user', {}, 'alice@example.com', []],
    ['its user, if the capabilities are null', { capMap: null }, 'alice@example.com', []],
    ['its user, in the groups of the policy', { capMap: granting(groups('a', 'b')) }, 'alice@example.com', ['a', 'b']],
    [
      'its user, in the groups of all rules, each once',
      { capMap: granting(groups('b', 'a'), {}, groups('c', 'b')) },
      'alice@example.com',
      ['b', 'a', 'c'],
    ],
    [
      'its user, with a list of groups that is null',
      { capMap: granting({ impersonate: { groups: null } }) },
      'alice@example.com',
      [],
    ],
    [
      'its user, beside fields that are not known',
      { capMap: granting({ ...groups('a'), future: 1 }) },
      'alice@example.com',
      ['a'],
    ],
    [
      'its user, with the earlier name of the capability',
      { capMap: { [earlier]: [groups('a')] } },
      'alice@example.com',
      ['a'],
    ],
    [
      'its user, without the earlier name if there are rules',
      { capMap: { [earlier]: [groups('a')], [capability]: [{}] } },
      'alice@example.com',
      [],
    ],
    ['itself, if it has tags', { node: tags }, 'laptop.lab.ts.net', ['tag:ci', 'tag:x']],
    ['itself, in the groups of the policy', { node: tags, capMap: granting(groups('a')) }, 'laptop.lab.ts.net', ['a']],
    ['a user with other letters', { login: 'zoë@example.com' }, 'zoë@example.com', []],
  ])('%s', (_what, options, user, granted) => {
    expect(read(options).identity).toEqual({ user, groups: granted })
  })

  it('with both names of the capability, recording only as the present one says', () => {
    expect(read({ capMap: { [earlier]: [{ ...groups('a'), enforceRecorder: true }] } }).rules).toEqual({
      groups: ['a'],
      enforcesRecording: false,
      recordsRequests: false,
      recorders: [],
    })
  })

  it('what is to be recorded, when any rule says so', () => {
    const recorderAddrs = ['100.64.0.9:80']
    const capMap = granting({ recorderAddrs, recorder: ['tag:r'] }, { enforceRecorder: true }, { enableEvents: true })
    expect(read({ capMap }).rules).toMatchObject({
      enforcesRecording: true,
      recordsRequests: true,
      recorders: recorderAddrs,
    })
  })
})

describe('a peer is refused', () => {
  const manyGroups = Array.from({ length: 3000 }, (_, index) => `a-group-with-a-long-name-${index}`)
  it.each<[string, number, Parameters<typeof aWhois>[1]]>([
    ['whose key has expired', 403, { node: { Expired: true } }],
    ['whose key ends now', 403, { node: { KeyExpiry: now.toISOString() } }],
    ['at another address', 503, { node: { Addresses: ['100.64.0.8/32'] } }],
    ['whose network has the address', 503, { node: { Addresses: ['100.64.0.0/24'] } }],
    ['without addresses', 503, { node: { Addresses: null } }],
    ['whose addresses are a text', 503, { node: { Addresses: '100.64.0.7/32' } }],
    ['whose tags are a text', 503, { node: { Tags: 'tag:x' } }],
    ['without a user', 503, { login: null }],
    ['whose user is a number', 503, { login: 7 }],
    ['whose user has no name', 403, { login: '' }],
    ['whose user begins with a space', 403, { login: ' admin' }],
    ['whose user has a line break', 403, { login: 'a\r\nImpersonate-Group: system:masters' }],
    ['whose user is half of a letter', 403, { login: 'a\ud800' }],
    ['whose user is a component of Kubernetes', 403, { login: 'system:kube-scheduler' }],
    ['with a tag, and no name', 403, { node: { ...tags, Name: '' } }],
    ['in a group without a name', 403, { capMap: granting(groups('')) }],
    ['in a group with a line break', 403, { capMap: granting(groups('a\nb')) }],
    ['in more groups than fit', 403, { capMap: granting(groups(...manyGroups)) }],
    ['with more rules than any policy has', 403, { capMap: granting(...Array.from({ length: 1001 }, () => ({}))) }],
    ['whose capabilities are a list', 403, { capMap: [] }],
    ['whose capabilities are a text', 403, { capMap: 'all' }],
    ['whose rules are a rule', 403, { capMap: { [capability]: groups('a') } }],
    ['with a rule that is a text', 403, { capMap: granting('system:masters') }],
    ['with a rule that is null', 403, { capMap: granting(null) }],
    ['with a rule that is a list', 403, { capMap: granting(['a']) }],
    ['with a good rule and a bad one', 403, { capMap: granting(groups('a'), 7) }],
    ['who is to impersonate a text', 403, { capMap: granting({ impersonate: 'a' }) }],
    ['who is to impersonate a group that is no list', 403, { capMap: granting({ impersonate: { groups: 'a' } }) }],
    ['in a group that is a number', 403, { capMap: granting({ impersonate: { groups: ['a', 7] } }) }],
    ['with a bad rule under the earlier name', 403, { capMap: { [earlier]: [groups('a'), 7] } }],
    ['whose recording is a text', 403, { capMap: granting({ enforceRecorder: 'false' }) }],
    ['whose events are a number', 403, { capMap: granting({ enableEvents: 0 }) }],
    ['whose recorder is a text', 403, { capMap: granting({ recorderAddrs: '100.64.0.9:80' }) }],
  ])('%s: %i', (_what, status, options) => {
    expect(refusedBy(() => read(options)).status).toBe(status)
  })

  it.each(['', '{', 'null', '[]', '"x"', '{}', '{"Node":null}', '{"Node":[]}', '{"UserProfile":{"LoginName":"x"}}'])(
    'of whom tailscaled says %s',
    (text) => {
      expect(refusedBy(() => readCaller(text, address, now)).status).toBe(503)
    },
  )

  it('or acts as what a header can hold unchanged, whatever tailscaled says', () => {
    const login = fc.oneof(fc.string({ unit: 'grapheme' }), fc.jsonValue())
    const rule = fc.oneof(
      fc.record({ impersonate: fc.record({ groups: fc.array(fc.string({ unit: 'binary' })) }) }),
      fc.jsonValue(),
    )
    const capMap = fc.oneof(
      fc.array(rule).map((rules) => granting(...rules)),
      fc.jsonValue(),
    )
    fc.assert(
      fc.property(login, capMap, fc.jsonValue(), (name, capabilities, someTags) => {
        let caller: Caller
        try {
          caller = read({ login: name, capMap: capabilities, node: { Tags: someTags } })
        } catch (error) {
          expect(error).toBeInstanceOf(Refused)
          return
        }
        for (const text of [caller.identity.user, ...caller.identity.groups]) {
          expect(text).not.toMatch(/^\s|\s$|^$|\p{Cc}/u)
        }
      }),
    )
  })
})

describe('what a peer began goes on', () => {
  const before = read({ capMap: granting(groups('a', 'b')) })
  it.each<[string, boolean, Parameters<typeof aWhois>[1]]>([
    ['if nothing changes', true, { capMap: granting(groups('b', 'a')) }],
    ['if it may do more', true, { capMap: granting(groups('a', 'b', 'c')) }],
    ['unless it is in fewer groups', false, { capMap: granting(groups('a')) }],
    ['unless it is another user’s', false, { login: 'bob@example.com', capMap: granting(groups('a', 'b')) }],
    [
      'unless another node has the address',
      false,
      { node: { StableID: 'nOther' }, capMap: granting(groups('a', 'b')) },
    ],
    ['unless it has become a node with tags', false, { node: tags, capMap: granting(groups('a', 'b')) }],
    ['unless it must be recorded', false, { capMap: granting({ ...groups('a', 'b'), enforceRecorder: true }) }],
  ])('%s', (_what, goesOn, options) => {
    expect(isStill(before, read(options))).toBe(goesOn)
  })
})
