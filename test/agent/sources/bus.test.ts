import { describe, expect, it } from 'vitest'
import { applyNotification } from '../../../agent/sources/bus.ts'
import type { Tailnet } from '../../../agent/world.ts'
import type { Notification } from '../../../localapi/notify.ts'

const nothing: Tailnet = { watching: false, noSnat: false, health: new Map() }
const self = { id: 'n1', name: 'p.', addresses: [{ family: 4 as const, text: '100.64.0.1' }] }

describe('applyNotification', () => {
  it.each<[string, Tailnet, Notification, Partial<Tailnet>]>([
    [
      'keeps what a message does not name',
      { ...nothing, self, state: 'Running' },
      {},
      { self, state: 'Running', watching: true },
    ],
    [
      'takes what it names',
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
      'remembers where to log in',
      { ...nothing, state: 'NeedsLogin' },
      { browseToUrl: 'https://x' },
      { loginUrl: 'https://x' },
    ],
    ['switches NoSNAT off again', { ...nothing, noSnat: true }, { noSnat: false }, { noSnat: false }],
  ])('%s', (_name, before, notification, expected) => {
    expect(applyNotification(before, notification)).toMatchObject(expected)
  })

  it('gives the same value when nothing changes', () => {
    const before: Tailnet = { ...nothing, watching: true, self, health: new Map([['a', 'A']]) }
    expect(applyNotification(before, { self: structuredClone(self), health: new Map([['a', 'A']]) })).toBe(before)
  })

  it.each<[string, Notification, object]>([
    ['keeps the node while the daemon does not know it yet', { initial: true, state: 'Starting' }, { self }],
    ['keeps it where a login is needed and the status is not told', { state: 'NeedsLogin' }, { self }],
    ['knows none when there is none', { initial: true, state: 'NeedsLogin' }, {}],
  ])('%s', (_name, notification, expected) => {
    const { self: node } = applyNotification({ ...nothing, self }, notification)
    expect(node === undefined ? {} : { self: node }).toEqual(expected)
  })

  it('forgets where to log in once the node runs', () => {
    expect(applyNotification({ ...nothing, loginUrl: 'https://x' }, { state: 'Running' })).not.toHaveProperty(
      'loginUrl',
    )
  })
})
