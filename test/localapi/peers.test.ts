import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseAddress, parsePrefix } from '../../lib/address.ts'
import { entriesOf, layered } from '../../lib/layered-map.ts'
import { type Notification, notifyReader } from '../../localapi/notify.ts'
import { changePeers, noPeers, type Peer, type Peers, type PeersChange } from '../../localapi/peers.ts'
import { aChange } from './peer-changes.ts'

const peer = (name: string, addresses: string[], allowed: string[] = [], nodeId?: string): Peer => ({
  name,
  addresses: addresses.map((text) => parseAddress(text)!),
  allowed: allowed.map((text) => parsePrefix(text)!),
  ...(nodeId !== undefined && { nodeId }),
})

describe('what a message says about peers', () => {
  const read = (message: object | string): Notification => {
    const { push, end } = notifyReader({ peers: true })
    push(Buffer.from(typeof message === 'string' ? message : JSON.stringify(message)))
    return end()
  }
  const node = (StableID: string, more: object = {}) => ({
    ID: 7,
    StableID,
    Name: 'a.lab.ts.net.',
    Addresses: ['100.64.0.7/32', 'fd7a:115c:a1e0::7/128'],
    AllowedIPs: ['100.64.0.7/32', 'fd7a:115c:a1e0::7/128', '10.0.0.0/8'],
    Key: 'nodekey:1',
    ...more,
  })
  const a = peer('a.lab.ts.net.', ['100.64.0.7', 'fd7a:115c:a1e0::7'], ['10.0.0.0/8'], '7')
  const status = {
    ID: 'n7',
    NodeID: 7,
    DNSName: 'a.lab.ts.net.',
    TailscaleIPs: ['100.64.0.7', 'fd7a:115c:a1e0::7'],
    AllowedIPs: ['100.64.0.7/32', 'fd7a:115c:a1e0::7/128', '10.0.0.0/8'],
  }
  const change = (changed: Record<string, Peer>, more: Partial<PeersChange> = {}): PeersChange => ({
    whole: false,
    removed: [],
    changed: new Map(Object.entries(changed)),
    ...more,
  })
  const record = { name: 'db.lab.ts.net', address: parseAddress('100.99.0.1') }
  const ExtraRecords = [
    { Name: 'db.lab.ts.net', Value: '100.99.0.1' },
    { Name: 'db.lab.ts.net', Type: 'TXT', Value: 'x' },
  ]
  const Self = { ID: 'n1', DNSName: 'p.', TailscaleIPs: ['100.64.0.1'] }

  it.each<[string, object | string, Notification]>([
    ['changes', { PeersChanged: [node('n7')] }, { peers: [change({ n7: a })] }],
    ['removals', { PeersRemoved: [7, 8] }, { peers: [change({}, { removed: ['7', '8'] })] }],
    ['both', { PeersChanged: [node('n7')], PeersRemoved: [8] }, { peers: [change({ n7: a }, { removed: ['8'] })] }],
    ['a whole netmap', { NetMap: { Peers: [node('n7')] } }, { peers: [change({ n7: a }, { whole: true })] }],
    ['a netmap of a node without peers', { NetMap: { Peers: null } }, { peers: [change({}, { whole: true })] }],
    ['a netmap that does not mention peers', { NetMap: { SelfNode: null } }, {}],
    [
      'DNS records of a netmap',
      { NetMap: { DNS: { ExtraRecords } } },
      { records: [record], certDomains: [] } as Notification,
    ],
    ['a netmap without DNS records', { NetMap: { DNS: {} } }, { records: [], certDomains: [] }],
    [
      'a status',
      { InitialStatus: { Peer: { 'nodekey:1': status } } },
      { initial: true, peers: [change({ n7: a }, { whole: true })] },
    ],
    ['a status without peers', { InitialStatus: { Peer: null } }, { initial: true }],
    [
      'a status without peers of a running node, which removes none',
      { State: 6, SelfChange: { StableID: 'n1', Name: 'p.' }, InitialStatus: { Peer: null } },
      { initial: true, state: 'Running', self: { id: 'n1', name: 'p.', addresses: [] }, peers: [change({})] },
    ],
    [
      'a status, applied before what changed since',
      { PeersChanged: [node('n7', { Name: 'b.' })], InitialStatus: { Peer: { k: status } } },
      { initial: true, peers: [change({ n7: a }, { whole: true }), change({ n7: { ...a, name: 'b.' } })] },
    ],
    [
      'DNS records of a status',
      { InitialStatus: { Self, ExtraRecords } },
      {
        initial: true,
        self: { id: 'n1', name: 'p.', addresses: [parseAddress('100.64.0.1')!] },
        records: [record],
      } as Notification,
    ],
    [
      'no DNS records while the node is unknown',
      { InitialStatus: { Self: { ID: '', DNSName: '' }, ExtraRecords: null } },
      { initial: true },
    ],
    [
      'a change of the node, with which peers may have gone',
      { SelfChange: { StableID: 'n1', Name: 'p.' } },
      { self: { id: 'n1', name: 'p.', addresses: [] }, partial: true },
    ],
    [
      'a peer without number and stable ID',
      { PeersChanged: [{ ID: 0, StableID: '', Name: 'a.', Addresses: null }] },
      { peers: [change({ 'a.': peer('a.', []) })] },
    ],
    [
      'consecutive numbers beyond 2⁵³',
      `{"PeersChanged":[{"ID":9007199254740993,"StableID":"n1","Name":"a\\"ID\\":9007199254740993"},
        {"ID" : 9007199254740992,"StableID":"n2","Name":"9007199254740993"}],"PeersRemoved":[9223372036854775807,9223372036854775806]}`,
      {
        peers: [
          change(
            {
              n1: peer('a"ID":9007199254740993', [], [], '9007199254740993'),
              n2: peer('9007199254740993', [], [], '9007199254740992'),
            },
            { removed: ['9223372036854775807', '9223372036854775806'] },
          ),
        ],
      },
    ],
    ['no change', { PeersChanged: null, PeersRemoved: [], NetMap: null, InitialStatus: null, SelfChange: null }, {}],
    ['a change of 1.98 without name or address', { PeerChanges: [{ NodeID: 7, Online: true }] }, {}],
  ])('%s', (_name, message, expected) => {
    expect(read(message)).toEqual(expected)
  })

  it.each([
    { PeersChanged: [{ ID: 7 }] },
    { PeersChanged: [node('n7'), 7] },
    { PeersChanged: {} },
    { PeersRemoved: [{}] },
    { PeersRemoved: ['7'] },
    { PeersChanged: [node('n7', { ID: 7.5 })] },
    { PeersChanged: [node('n7', { ID: 'x' })] },
    { NetMap: { Peers: 'x' } },
    { InitialStatus: { Peer: { k: { ...status, AllowedIPs: 'x' } } } },
    { InitialStatus: { Peer: [] } },
    '{"PeersChanged":[{"Name":"a."},]}',
    '{"PeersChanged":[{"Name":"a."}',
  ])('%j is not a message', (message) => {
    expect(() => read(message)).toThrow(expect.objectContaining({ code: 'localapi' }) as Error)
  })
})

it('keeps the value of a peer that has not changed, and makes a new one otherwise', () => {
  const held = peer('a.', ['100.64.0.1'], ['10.0.0.0/8'], '1')
  const node = { ID: 1, StableID: 'n1', Name: 'a.', Addresses: ['100.64.0.1/32'], AllowedIPs: ['10.0.0.0/8'] }
  const status = { ID: 'n1', NodeID: 1, DNSName: 'a.', TailscaleIPs: ['100.64.0.1'], AllowedIPs: ['10.0.0.0/8'] }
  const read = (message: object): Peer | undefined => {
    const { push, end } = notifyReader({ peers: true, held: (key) => (key === 'n1' ? held : undefined) })
    push(Buffer.from(JSON.stringify(message)))
    return [...end().peers![0]!.changed.values()][0]
  }
  expect(read({ PeersChanged: [node] })).toBe(held)
  expect(read({ NetMap: { Peers: [node] } })).toBe(held)
  expect(read({ InitialStatus: { Peer: { k: status } } })).toBe(held)
  expect(read({ PeersChanged: [{ ...node, ID: 2 }] })).toEqual({ ...held, nodeId: '2' })
  expect(read({ PeersChanged: [{ ...node, StableID: 'n2' }] })).not.toBe(held)
})

describe('changePeers', () => {
  const a = peer('a.', ['100.64.0.1'], ['10.0.0.0/8'], '1')
  const b = peer('b.', ['100.64.0.2'], [], '2')
  const before = layered(
    new Map([
      ['n1', a],
      ['n2', b],
    ]),
  )
  const changed = (changes: Record<string, Peer>, more: Partial<PeersChange> = {}): Peers =>
    changePeers(before, { whole: false, removed: [], changed: new Map(Object.entries(changes)), ...more })

  it.each<[string, Peers, Record<string, Peer>]>([
    ['a new peer', changed({ n3: a }), { n1: a, n2: b, n3: a }],
    [
      'another address',
      changed({ n1: { ...a, addresses: b.addresses } }),
      { n1: { ...a, addresses: b.addresses }, n2: b },
    ],
    ['another route', changed({ n1: { ...a, allowed: [] } }), { n1: { ...a, allowed: [] }, n2: b }],
    ['a removed peer', changed({}, { removed: ['1', '9'] }), { n2: b }],
    ['all other peers gone', changed({ n2: structuredClone(b) }, { whole: true }), { n2: b }],
    ['all gone', changed({}, { whole: true }), {}],
    [
      'a new ID for a peer without a number, which replaces the peer of that name',
      changed({ n9: peer('a.', ['100.64.0.9']) }),
      { n2: b, n9: peer('a.', ['100.64.0.9']) },
    ],
    [
      'another number under a name that a peer has, which replaces none',
      changed({ n9: { ...a, nodeId: '9' } }),
      { n1: a, n2: b, n9: { ...a, nodeId: '9' } },
    ],
  ])('%s', (_name, after, expected) => {
    expect(Object.fromEntries(entriesOf(after))).toEqual(expected)
  })

  it('returns the same value when nothing differs', () => {
    expect(changed({ n1: structuredClone(a) })).toBe(before)
    expect(changed({}, { removed: ['3'] })).toBe(before)
    expect(changed({ n2: structuredClone(b), n1: structuredClone(a) }, { whole: true })).toBe(before)
  })

  it('after any changes, has the last reported peers, and leaves earlier versions as they were', () => {
    const versions: [Peers, ReadonlyMap<string, Peer>][] = []
    fc.assert(
      fc.property(fc.array(aChange), (changes) => {
        versions.push([noPeers, new Map()])
        for (const change of changes) {
          const [peers, model] = versions.at(-1)!
          versions.push([changePeers(peers, change), expectedPeers(model, change)])
        }
        for (const [peers, model] of versions.splice(0)) expect(new Map(entriesOf(peers))).toEqual(model)
      }),
    )
  })
})

/** The peers after a change, computed naively. */
function expectedPeers(
  before: ReadonlyMap<string, Peer>,
  { whole, changed, removed }: PeersChange,
): ReadonlyMap<string, Peer> {
  const fresh = new Map([...changed].filter(([key, now]) => !isDeepStrictEqual(before.get(key), now)))
  const renewed = new Set([...fresh.values()].flatMap(({ name, nodeId }) => (nodeId === undefined ? name : [])))
  const stays = ([key, { name, nodeId = '' }]: [string, Peer]): boolean =>
    !removed.includes(nodeId) && (changed.has(key) || !(whole || renewed.has(name)))
  return new Map([...[...before].filter(stays), ...fresh])
}
