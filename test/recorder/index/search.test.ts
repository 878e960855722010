import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Entry } from '../../../recorder/index/entry.ts'
import { Index } from '../../../recorder/index/index.ts'

const anEntry = (fields: Partial<Entry> = {}): Entry => ({
  key: 'nA/1.cast',
  state: 'whole',
  kind: 'exec',
  began: 0,
  seconds: 1,
  bytes: 10,
  modified: 0,
  node: 'nA',
  from: 'laptop.lab.ts.net',
  who: 'alice@example.com',
  where: 'shop/web-0/main',
  command: 'sh -c ls',
  ...fields,
})

const keys = (index: Index, query: Parameters<Index['search']>[0] = {}, most = 100): string[] =>
  index.search(query, most).entries.map(({ key }) => key)

const entries = fc.uniqueArray(
  fc.record({ key: fc.stringMatching(/^[a-f]{1,3}$/), began: fc.nat(20), node: fc.constantFrom('nA', 'nB') }),
  { selector: ({ key }) => key },
)

describe('the index', () => {
  it('has all recordings that were put into it and not removed, newest first', () => {
    fc.assert(
      fc.property(entries, fc.array(fc.nat()), (some, gone) => {
        const index = new Index()
        const left = new Map(some.map((one) => [one.key, anEntry(one)]))
        for (const entry of left.values()) index.put(entry)
        for (const at of gone) {
          const { key } = some[at % some.length] ?? { key: 'x' }
          index.remove(key)
          left.delete(key)
        }
        const sorted = [...left.values()].toSorted((a, b) => b.began - a.began || (a.key < b.key ? 1 : -1))
        expect(index.search({}, 1000)).toEqual({ entries: sorted, matching: sorted.length, hasMore: false })
        expect([index.size, index.bytes]).toEqual([sorted.length, 10 * sorted.length])
      }),
    )
  })

  it('gives pages that have everything once', () => {
    fc.assert(
      fc.property(entries, fc.integer({ min: 1, max: 5 }), (some, most) => {
        const index = new Index()
        for (const one of some) index.put(anEntry(one))
        const found: string[] = []
        for (let after: Entry | undefined; ;) {
          const page = index.search({ after }, most)
          expect(page.matching).toBe(some.length)
          found.push(...page.entries.map(({ key }) => key))
          expect(page.hasMore).toBe(found.length < some.length)
          after = page.entries.at(-1)
          if (after === undefined) break
        }
        expect(found).toEqual(keys(index, {}, 1000))
      }),
    )
  })

  it('finds who, where, when and what, by words in any case and order', () => {
    const index = new Index()
    index.put(anEntry({ key: 'old', began: 1000 }))
    index.put(anEntry({ key: 'bob', began: 2000, who: 'bob@example.com', command: 'rm -rf /' }))
    index.put(anEntry({ key: 'ssh', began: 3000, kind: 'ssh', where: 'root', node: 'nB' }))
    const found = (query: Parameters<Index['search']>[0]) => keys(index, query)
    expect(found({ who: 'ALICE' })).toEqual(['ssh', 'old'])
    expect(found({ who: 'bob laptop' })).toEqual(['bob'])
    expect(found({ who: 'rm' })).toEqual([])
    expect(found({ command: ' -rf  rm' })).toEqual(['bob'])
    expect(found({ where: 'web-0', who: 'alice' })).toEqual(['old'])
    expect(found({ where: 'nb' })).toEqual(['ssh'])
    expect(found({ where: 'DB root', nameOf: (node) => (node === 'nB' ? 'db.Lab.ts.net' : '') })).toEqual(['ssh'])
    expect(found({ kind: 'ssh' })).toEqual(['ssh'])
    expect(found({ since: 2000 })).toEqual(['ssh', 'bob'])
    expect(found({ until: 2000 })).toEqual(['old'])
    expect(found({ since: 1001, until: 3000, who: 'example' })).toEqual(['bob'])
    expect(found({ may: ({ who }) => who.startsWith('bob') })).toEqual(['bob'])
    expect(found({ who: 'alice', may: ({ who }) => who.startsWith('bob') })).toEqual([])
  })

  it('does not search what may not be found', () => {
    const index = new Index()
    for (const node of ['nA', 'nB']) index.put(anEntry({ key: node, node }))
    const asked: string[] = []
    const nameOf = (node: string): string => (asked.push(node), node)
    expect(keys(index, { where: 'no such', nameOf, may: ({ node }) => node === 'nB' })).toEqual([])
    expect(asked).toEqual(['nB'])
  })

  it('replaces what it knows of a recording', () => {
    const index = new Index()
    index.put(anEntry({ state: 'open' }))
    index.put(anEntry({ bytes: 30 }))
    expect([index.size, index.bytes, index.search({}, 9).entries]).toEqual([1, 30, [anEntry({ bytes: 30 })]])
  })

  it('does not grow by what was replaced, though nobody searches', () => {
    const index = new Index()
    for (let turn = 0; turn < 50_000; turn += 1) index.put(anEntry({ began: turn }))
    expect(index.search({}, 9).entries).toEqual([anEntry({ began: 49_999 })])
  })

  it('with a limit keeps the newest, in whatever order they come', () => {
    const times = fc.uniqueArray(fc.nat(1000), { maxLength: 100 })
    fc.assert(
      fc.property(times, fc.integer({ min: 1, max: 20 }), (some, most) => {
        const index = new Index(most)
        for (const began of some) index.put(anEntry({ key: `k${began}`, began }))
        const newest = some.toSorted((one, other) => other - one).slice(0, most)
        expect(index.size).toBeLessThanOrEqual(Math.max(1.1 * most, 1))
        expect(index.search({}, most).entries.map(({ began }) => began)).toEqual(newest)
      }),
    )
  })
})
