import { describe, expect, it } from 'vitest'
import { type Environment, readSettings } from '../../../agent/settings/read.ts'

const read = (env: Environment) => readSettings({ TS_USERSPACE: 'false', ...env })
const text = (list: readonly { readonly text: string }[]): string[] => list.map((address) => address.text)

it('reads several addresses, without duplicates', () => {
  const { settings } = read({ TS_DEST_IP: '10.0.0.2,10.0.0.1, fd00::1,::ffff:10.0.0.2' })
  expect(text(settings.targets)).toEqual(['10.0.0.2', '10.0.0.1', 'fd00::1'])
  expect(settings).toMatchObject({ targetName: undefined, forwardedFamilies: [4, 6], forwardsAny: false })
})

it('refuses more addresses than rules should have', () => {
  const list = (count: number) =>
    Array.from({ length: count }, (_, index) => `10.0.${index >> 8}.${index & 255}`).join()
  expect(read({ TS_DEST_IP: list(1000) }).settings.targets).toHaveLength(1000)
  expect(() => read({ TS_DEST_IP: list(1001) })).toThrow(/it has 1001 addresses, more than 1000/)
})

describe('reads a name', () => {
  it.each([
    ['in lower case', 'DB.prod', 'db.prod'],
    ['with a dot at its end', 'db.prod.', 'db.prod.'],
    ['beyond ASCII', 'Bücher.test.', 'xn--bcher-kva.test.'],
    ['beyond ASCII, encoded', 'XN--bcher-kva.test', 'xn--bcher-kva.test'],
    ['with white space around it', ' db.prod\n', 'db.prod'],
    ['that looks like an address', '0x7f.1', '0x7f.1'],
    ['of 253 characters and a dot', `${'a.'.repeat(126)}b.`, `${'a.'.repeat(126)}b.`],
  ])('%s', (_what, name, targetName) => {
    const { settings } = read({ TS_EXPERIMENTAL_DEST_DNS_NAME: name })
    expect(settings).toMatchObject({ targets: [], targetName, forwardedFamilies: [], forwardsAny: true })
  })

  it.each([
    ['fd00:0::1', 'fd00::1', 6],
    ['10.0.0.1\n', '10.0.0.1', 4],
    ['１０.0.0.1', '10.0.0.1', 4],
  ])('that is an address: %j', (given, target, family) => {
    const { settings, warnings } = read({ TS_EXPERIMENTAL_DEST_DNS_NAME: given })
    expect(text(settings.targets)).toEqual([target])
    expect(settings).toMatchObject({ targetName: undefined, forwardedFamilies: [family] })
    expect(warnings).toEqual([expect.stringMatching(/=\S+ is an address and no name: .* TS_DEST_IP/)])
  })
})

it('says where a name belongs that is among the addresses', () => {
  expect(() => read({ TS_DEST_IP: '10.0.0.1,db.prod' })).toThrow(
    /"db\.prod" is no IP address; .*; a name belongs in TS_EXPERIMENTAL_DEST_DNS_NAME/,
  )
  expect(() => read({ TS_DEST_IP: '10.0.0.1:80' })).toThrow(/^(?!.*DNS_NAME)/)
})

it.each([
  ['254 characters', `${'a.'.repeat(126)}ab`, /it has 254 characters, more than 253/],
  ['an empty label', 'a..b', /a part between dots that is empty/],
  ['only white space', ' ', /it has a character that no name/],
  ['only a dot', '.', /it has a character that no name/],
  ['a long label', `${'a'.repeat(64)}.b`, /longer than 63 characters/],
  [
    'a space',
    'a b',
    /="a b" is not valid: it has a character that no name of a host has; a name such as .* is accepted/,
  ],
  ['a port', 'a.b:80', /it has a character/],
  ['several names', 'a.b,c.d', /it is a list, and only one name can be set/],
  ['several addresses', '10.0.0.1,10.0.0.2', /it is a list, .*; TS_DEST_IP takes several addresses/],
  ['an invalid encoding', 'ü.xn--a', /it has a character/],
  ['a long non-ASCII label', `${'ü'.repeat(64)}.test`, /is not valid/],
])('refuses a name with %s', (_what, name, expected) => {
  expect(() => read({ TS_EXPERIMENTAL_DEST_DNS_NAME: name })).toThrow(expected)
})
