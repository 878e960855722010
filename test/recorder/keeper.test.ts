import { expect, it } from 'vitest'
import { Index } from '../../recorder/index/index.ts'
import { Keeper } from '../../recorder/keeper.ts'
import { counting } from '../../recorder/metrics.ts'
import { RemoteError } from '../../recorder/store/remote.ts'
import type { Store } from '../../recorder/store/store.ts'
import { VirtualClock } from '../lib/virtual-clock.ts'
import { header } from './recorder-bed.ts'

type Outside = ConstructorParameters<typeof Keeper>[0]

const aKeeper = (store: Partial<Store>, more: Partial<Outside> & Pick<Outside, 'clock'>): Keeper =>
  new Keeper({
    store: store as Store,
    index: new Index(),
    counts: counting(),
    limits: { keepMs: Infinity, maxBytes: Infinity },
    log: () => {},
    ...more,
  })

it('what cannot be read while S3 is away is read when it is back, and the failure is told once', async () => {
  const clock = new VirtualClock()
  const index = new Index()
  const told: string[] = []
  const bytes = Buffer.from(header())
  let failure: Error | undefined = new RemoteError('unreachable', 'it is away')
  const keys = Array.from({ length: 50 }, (_, at) => `nA/${at}.cast`)
  const store: Pick<Store, 'list' | 'open' | 'readsAtOnce'> = {
    readsAtOnce: 4,
    list: async function* () {
      for (const key of keys) yield { key, bytes: bytes.length, modified: clock.date() }
      if (failure) throw failure
    },
    open: async (key) => {
      if (failure) throw failure
      const read = async (from: number, to: number): Promise<Buffer> => bytes.subarray(from, to)
      return { key, bytes: bytes.length, read, close: async () => {} }
    },
  }
  const keeper = aKeeper(store, { index, clock, log: ({ text }) => void told.push(text) })
  const over = new AbortController()
  void keeper.keep(over.signal)
  await clock.advance(10 * 60_000)
  expect(told).toEqual(['error: the recordings could not all be looked at: it is away'])
  expect(index.size).toBe(0)
  failure = undefined
  await clock.advance(60_000)
  expect([...index.keys()].map((key) => index.get(key)?.state)).toEqual(keys.map(() => 'whole'))
  over.abort()
})

it.each([
  ['each minute, for little', 100, 121],
  ['less often, the more there is', 10_000, 21],
  ['at least each hour', 150_000, 3],
])('what other recorders have stored is looked for %s', async (_when, count, looks) => {
  const clock = new VirtualClock()
  let looked = 0
  const stored = { bytes: 1, modified: clock.date() }
  const store: Pick<Store, 'list' | 'readsAtOnce'> = {
    readsAtOnce: 4,
    list: async function* () {
      looked += 1
      for (let at = 0; at < count; at += 1) yield { ...stored, key: `events/nA/2026/01/01/${at}.json` }
    },
  }
  const keeper = aKeeper(store, { clock })
  const over = new AbortController()
  void keeper.keep(over.signal)
  for (let hours = 0; hours < 2; hours += 1) await clock.advance(3_600_000)
  expect(looked).toBe(looks)
  over.abort()
})
