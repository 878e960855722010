import { describe, expect, it } from 'vitest'
import { parseNotify, parseStatus } from '../../localapi/notify.ts'

const self = {
  id: 'n1',
  name: 'p.lab.ts.net.',
  addresses: [
    { family: 4, text: '100.64.0.1' },
    { family: 6, text: 'fd7a:115c:a1e0::1' },
  ],
}

describe('parseNotify', () => {
  it.each<[string, object, object]>([
    ['a state by number', { State: 6 }, { state: 'Running' }],
    ['an unknown state', { State: 99 }, {}],
    [
      'an initial status',
      {
        InitialStatus: {
          BackendState: 'Running',
          AuthURL: '',
          Self: { ID: 'n1', DNSName: 'p.lab.ts.net.', TailscaleIPs: ['100.64.0.1', 'fd7a:115c:a1e0::1'] },
        },
      },
      { initial: true, state: 'Running', self },
    ],
    [
      'an initial status without a node',
      { InitialStatus: { BackendState: 'NeedsLogin', AuthURL: 'https://x/a' } },
      { initial: true, state: 'NeedsLogin', browseToUrl: 'https://x/a' },
    ],
    [
      'a change of the node',
      { SelfChange: { StableID: 'n1', Name: 'p.lab.ts.net.', Addresses: ['100.64.0.1/32', 'fd7a:115c:a1e0::1/128'] } },
      { self },
    ],
    ['prefs', { Prefs: { NoSNAT: true } }, { noSnat: true }],
    ['prefs without the field', { Prefs: {} }, { noSnat: false }],
    ['nulls', { State: null, Prefs: null, SelfChange: null, Health: null, InitialStatus: null }, {}],
    [
      'health',
      { Health: { Warnings: { 'login-state': { Title: 'Logged out', Text: 'You are logged out' }, x: {} } } },
      {
        health: new Map([
          ['login-state', 'You are logged out'],
          ['x', 'x'],
        ]),
      },
    ],
    ['health restored', { Health: { Warnings: null } }, { health: new Map() }],
    ['a person to log in', { BrowseToURL: 'https://x/a' }, { browseToUrl: 'https://x/a' }],
    ['an error', { ErrMessage: 'fell behind' }, { error: 'fell behind' }],
    ['fields that are not used', { Version: '1.102.5', NetMap: { Peers: [] }, Engine: {} }, {}],
  ])('%s', (_name, line, expected) => {
    expect(parseNotify(JSON.stringify(line))).toEqual(expected)
  })

  it.each(['', 'x', '[]', '{"State":"Running"}', '{"SelfChange":{"Name":1}}', '{"Health":{"Warnings":[]}}', 'null'])(
    'rejects %j',
    (line) => {
      expect(() => parseNotify(line)).toThrow()
    },
  )
})

it('a status is read like the initial one of the bus', () => {
  const status = { BackendState: 'NeedsLogin', AuthURL: 'https://x/a', Self: null }
  expect(parseStatus(JSON.stringify(status))).toEqual(parseNotify(JSON.stringify({ InitialStatus: status })))
  expect(() => parseStatus('')).toThrow()
})
