import { describe, expect, it } from 'vitest'
import { applyNotification } from '../../../agent/tailscaled/tailnet.ts'
import type { Tailnet } from '../../../agent/world/world.ts'
import { entriesOf, layered } from '../../../lib/layered-map.ts'
import type { Notification } from '../../../localapi/notify.ts'
import { noPeers, type PeersChange } from '../../../localapi/peers.ts'

const nothing: Tailnet = { watching: false, noSnat: false, health: new Map() }
const self = { id: 'n1', name: 'p.', addresses: [{ family: 4 as const, text: '100.64.0.1' }] }

describe('applyNotification', () => {
  it.each<[string, Tailnet, Notification, Partial<Tailnet>]>([
    [
      'keeps fields that a message does not have',
      { ...nothing, self, state: 'Running' },
      {},
      { self, state: 'Running', watching: true },
    ],
    [
      'takes fields that a message has',
      nothing,
      { state: 'Starting', self, noSnat: true },
      { state: 'Starting', self, noSnat: true },
    ],
    [
      'replaces health as a whole',
      { ...nothing, health: new Map([['a', 'A']]) },
      { health: new Map([['b', 'B']]) },
      { health: new Map([['b', 'B']]) },
    ],
    [
      'keeps the login URL',
      { ...nothing, state: 'NeedsLogin' },
      { browseToUrl: 'https://x' },
      { loginUrl: 'https://x' },
    ],
    ['takes NoSNAT switched off', { ...nothing, noSnat: true }, { noSnat: false }, { noSnat: false }],
    ['takes whether routes are accepted', nothing, { acceptsRoutes: true }, { acceptsRoutes: true }],
  ])('%s', (_name, before, notification, expected) => {
    expect(applyNotification(before, notification)).toMatchObject(expected)
  })

  const reported = (name: string, text: string, whole = false): PeersChange => ({
    whole,
    changed: new Map([[name, { name, addresses: [{ family: 4 as const, text }], allowed: [] }]]),
    removed: [],
  })
  const records = [{ name: 'db.', address: { family: 4 as const, text: '100.99.0.1' } }]

  it('returns the same value when nothing changes', () => {
    const before: Tailnet = {
      ...nothing,
      watching: true,
      self,
      health: new Map([['a', 'A']]),
      peers: layered(reported('a.', '100.64.0.2').changed),
      records,
    }
    const again = { self, health: new Map([['a', 'A']]), peers: [reported('a.', '100.64.0.2', true)], records }
    expect(applyNotification(before, structuredClone(again))).toBe(before)
    // Parts that have not changed stay the same value, too.
    const after = applyNotification(before, { ...structuredClone(again), state: 'Running' })
    expect([after.peers, after.records]).toEqual([before.peers, records])
    expect(after.peers).toBe(before.peers)
    expect(after.records).toBe(records)
  })

  it('applies several changes of peers in order', () => {
    const peers = [reported('a.', '100.64.0.2', true), reported('b.', '100.64.0.3'), reported('a.', '100.64.0.4')]
    const after = applyNotification(
      { ...nothing, peers: layered(reported('c.', '100.64.0.5').changed) },
      { peers, records },
    )
    expect([...entriesOf(after.peers!)].map(([id, { addresses }]) => `${id} ${addresses[0]?.text}`).toSorted()).toEqual(
      ['a. 100.64.0.4', 'b. 100.64.0.3'],
    )
    expect(after.records).toEqual(records)
    expect(applyNotification(nothing, {})).not.toHaveProperty('peers')
  })

  it.each<[string, Notification, object]>([
    ['keeps the node while tailscaled does not know it yet', { initial: true, state: 'Starting' }, { self }],
    ['keeps the node in NeedsLogin without a status', { state: 'NeedsLogin' }, { self }],
    ['forgets the node in NeedsLogin with a status', { initial: true, state: 'NeedsLogin' }, {}],
  ])('%s', (_name, notification, expected) => {
    const { self: node, peers } = applyNotification({ ...nothing, self, peers: noPeers, records }, notification)
    expect(node === undefined ? {} : { self: node }).toEqual(expected)
    expect(peers === undefined).toBe(node === undefined)
  })

  it('forgets the login URL once the node runs', () => {
    expect(applyNotification({ ...nothing, loginUrl: 'https://x' }, { state: 'Running' })).not.toHaveProperty(
      'loginUrl',
    )
  })
})
