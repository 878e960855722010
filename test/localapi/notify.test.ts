import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CulvertError } from '../../lib/errors.ts'
import { type Notification, notifyReader, parseNotify } from '../../localapi/notify.ts'
import { busLines } from './documents.ts'

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
      { self, partial: true },
    ],
    [
      'a netmap of a daemon before 1.98',
      { NetMap: { SelfNode: { StableID: 'n1', Name: 'p.lab.ts.net.', Addresses: ['100.64.0.1/32'] }, Peers: [] } },
      { self: { ...self, addresses: [{ family: 4, text: '100.64.0.1' }] } },
    ],
    ['a netmap without a node', { NetMap: { SelfNode: null } }, {}],
    [
      'a daemon that does not know its node yet',
      { InitialStatus: { BackendState: 'Starting', Self: { ID: '', DNSName: '', TailscaleIPs: null } } },
      { initial: true, state: 'Starting' },
    ],
    [
      'a node without addresses',
      { SelfChange: { StableID: 'n1', Name: 'p.' } },
      { self: { id: 'n1', name: 'p.', addresses: [] }, partial: true },
    ],
    [
      'a node with tags',
      { SelfChange: { StableID: 'n1', Name: 'p.', Tags: ['tag:a', 'tag:b'] } },
      { self: { id: 'n1', name: 'p.', addresses: [], tags: ['tag:a', 'tag:b'] }, partial: true },
    ],
    [
      'a status of a node without tags',
      { InitialStatus: { Self: { ID: 'n1', DNSName: 'p.', Tags: null } } },
      { initial: true, self: { id: 'n1', name: 'p.', addresses: [] } },
    ],
    [
      'a host of Tailscale Services',
      {
        SelfChange: {
          StableID: 'n1',
          Name: 'p.',
          CapMap: { https: null, 'service-host': [{ 'svc:web': ['100.100.0.1'], 'svc:db': null }] },
        },
      },
      { self: { id: 'n1', name: 'p.', addresses: [] }, hosted: ['svc:web', 'svc:db'], partial: true },
    ],
    [
      'a status of a node that hosts none',
      { InitialStatus: { Self: { ID: 'n1', DNSName: 'p.', CapMap: { https: null } } } },
      { initial: true, self: { id: 'n1', name: 'p.', addresses: [] }, hosted: [] },
    ],
    [
      'a host of something that is no Tailscale Service',
      { SelfChange: { StableID: 'n1', Name: 'p.', CapMap: { 'service-host': [7, null, 'x'] } } },
      { self: { id: 'n1', name: 'p.', addresses: [] }, hosted: [], partial: true },
    ],
    [
      'a node that can have certificates',
      { InitialStatus: { Self: { ID: 'n1', DNSName: 'p.' }, CertDomains: ['p.lab.ts.net', 'web.lab.ts.net'] } },
      {
        initial: true,
        self: { id: 'n1', name: 'p.', addresses: [] },
        certDomains: ['p.lab.ts.net', 'web.lab.ts.net'],
      },
    ],
    [
      'a node that can have no certificates',
      { InitialStatus: { Self: { ID: 'n1', DNSName: 'p.' }, CertDomains: null } },
      { initial: true, self: { id: 'n1', name: 'p.', addresses: [] }, certDomains: [] },
    ],
    [
      'a daemon that does not know its certificate domains yet',
      { InitialStatus: { CertDomains: null } },
      { initial: true },
    ],
    [
      'a netmap with certificate domains',
      { NetMap: { DNS: { CertDomains: ['p.lab.ts.net'] } } },
      { certDomains: ['p.lab.ts.net'] },
    ],
    ['prefs', { Prefs: { NoSNAT: true, RouteAll: true } }, { noSnat: true, acceptsRoutes: true }],
    ['prefs without the fields', { Prefs: {} }, { noSnat: false, acceptsRoutes: false }],
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
    [
      'a very long warning',
      { Health: { Warnings: { w: { Text: 'x'.repeat(5000) } } } },
      { health: new Map([['w', 'x'.repeat(1000)]]) },
    ],
    ['health restored', { Health: { Warnings: null } }, { health: new Map() }],
    ['a login by a person', { BrowseToURL: 'https://x/a' }, { browseToUrl: 'https://x/a' }],
    ['an error', { ErrMessage: 'fell behind' }, { error: 'fell behind' }],
    ['a very long error', { ErrMessage: 'x'.repeat(5000) }, { error: 'x'.repeat(1000) }],
    ['fields that are not used', { Version: '', NetMap: { Peers: [] }, Engine: {} }, {}],
    ['the daemon’s version', { Version: '1.102.5-t0123' }, { version: '1.102.5-t0123' }],
  ])('%s', (_name, line, expected) => {
    expect(parseNotify(JSON.stringify(line))).toEqual(expected)
  })

  it.each(['', 'x', '[]', '{"State":"Running"}', '{"SelfChange":{"Name":1}}', '{"Health":{"Warnings":[]}}', 'null'])(
    'rejects %j',
    (line) => {
      expect(() => parseNotify(line)).toThrow(expect.objectContaining({ code: 'localapi' }) as Error)
    },
  )

  it('reads a warning named like a property of Object.prototype', () => {
    const line = '{"Health":{"Warnings":{"__proto__":{"Text":"x"},"constructor":{"Text":"y"}}},"__proto__":{"State":6}}'
    expect(parseNotify(line)).toEqual({ health: new Map([['constructor', 'y']]) })
    expect({}).not.toHaveProperty('Text')
  })
})

it.each([true, false, undefined])('reads from a status whether the node is connected: %s', (online) => {
  const Self = { ID: 'n1', DNSName: 'a.b.', ...(online !== undefined && { Online: online }) }
  expect(parseNotify(JSON.stringify({ InitialStatus: { BackendState: 'Running', Self } })).online).toBe(online)
})

describe('any line of the bus', () => {
  /** What is read of a line, as on the bus. */
  const read = (peers: boolean) => {
    const line = notifyReader({ peers })
    return (text: string): Notification => {
      line.push(Buffer.from(text))
      return line.end()
    }
  }
  const attempt = (parse: (text: string) => Notification, text: string): Notification | string => {
    try {
      return parse(text)
    } catch (error) {
      if (!(error instanceof CulvertError)) throw error
      return 'refused'
    }
  }

  it('gives a notification or a CulvertError, whether or not it is filtered first', () => {
    const line = read(false)
    fc.assert(
      fc.property(busLines, (text) => {
        const value = attempt(parseNotify, text)
        // Damage in what is filtered out goes unseen, and what is too large is refused.
        if (value !== 'refused' && text.length < 200_000) expect(attempt(line, text)).toEqual(value)
        else attempt(line, text)
      }),
      { numRuns: 2000 },
    )
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void attempt(line, text)))
  })

  it('gives the same fields besides the peers, which are read whatever precedes them', () => {
    const line = read(true)
    fc.assert(
      fc.property(busLines, (text) => {
        const value = attempt(line, text)
        if (value === 'refused' || text.length > 200_000) return
        const { peers: _peers, records: _records, ...rest } = value as Notification
        expect(rest).toEqual(attempt(read(false), text))
        expect(line('{"State":6,"PeersRemoved":[7]}')).toEqual({
          state: 'Running',
          peers: [{ whole: false, changed: new Map(), removed: ['7'] }],
        })
      }),
      { numRuns: 2000 },
    )
  })
})
