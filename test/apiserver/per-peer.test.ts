import { expect, it } from 'vitest'
import { PerPeer } from '../../apiserver/per-peer.ts'

it('each peer gets so much, and all together no more than there is', () => {
  const room = new PerPeer(10, 15)
  expect([room.take('a', 6), room.take('a', 5), room.take('a', 4)]).toEqual([true, false, true])
  expect([room.take('b', 6), room.take('b', 5)]).toEqual([false, true])
  room.give('a', 10)
  expect([room.take('b', 5), room.take('a', 5), room.take('c')]).toEqual([true, true, false])
})
