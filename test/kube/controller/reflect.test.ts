import { beforeEach, describe, expect, it } from 'vitest'
import type { Api, Page, WatchEvent } from '../../../kube/controller/api.ts'
import { configMap } from './an-object.ts'
import { reflect, type ReflectOptions } from '../../../kube/controller/reflect.ts'
import { store } from '../../../kube/controller/store.ts'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { KubeError } from '../../../kube/error.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { configMaps } from './resources.ts'

let clock: VirtualClock
/** The requests, with the time: `watch 5 @1000`. */
let asked: string[]
let problems: (string | undefined)[]
let stop: AbortController
beforeEach(() => {
  clock = new VirtualClock()
  asked = []
  problems = []
  stop = new AbortController()
  return () => stop.abort()
})

const set = (name: string, version: string): WatchEvent => ({ type: 'set', object: configMap(name, version), version })
const bookmark = (version: string): WatchEvent => ({ type: 'bookmark', version })
const refused = (status: number | undefined): KubeError =>
  new KubeError(`refused with ${status}`, { ...(status !== undefined && { status }), retryable: true })
const page = (objects: readonly KubeObject[], version: string, next?: string): Page => ({ objects, version, next })

/** What a watch does: events, each after some time, and how it ends. */
type Script = { readonly events?: readonly (WatchEvent | number)[]; readonly fails?: Error; readonly hangs?: true }

/** Follows ConfigMaps of an API whose answers are given in order; the last one is repeated. */
function follow(
  answers: { readonly pages: readonly (Page | Error)[]; readonly watches: readonly Script[] },
  options: Partial<ReflectOptions> = {},
) {
  const take = <T>(from: T[]): T => (from.length > 1 ? from.shift()! : from[0]!)
  const [pages, watches] = [[...answers.pages], [...answers.watches]]
  const api: Pick<Api, 'page' | 'watch'> = {
    page: async (_resource, { next, limit }) => {
      asked.push(`list ${next ?? limit} @${clock.now()}`)
      const answer = take(pages)
      if (answer instanceof Error) throw answer
      return answer
    },
    watch: async function* (_resource, { version, seconds }, signal) {
      asked.push(`watch ${version} @${clock.now()}`)
      const { events = [], fails, hangs } = take(watches)
      if (!(fails instanceof KubeError && fails.status === undefined)) yield { type: 'open' }
      for (const event of events) {
        if (typeof event === 'number') await clock.sleep(event, signal)
        else yield event
      }
      if (fails !== undefined) throw fails
      await clock.sleep(hangs === undefined ? seconds * 1000 : 10 * seconds * 1000, signal)
      signal.throwIfAborted()
    },
  }
  const kept = store({ failed: () => {}, clock })
  const source = reflect(
    api,
    { resource: configMaps, store: kept, clock, random: () => 0.5, problem: (text) => problems.push(text), ...options },
    stop.signal,
  )
  const names = (): string[] => [...kept.all()].map(({ metadata }) => `${metadata.name}:${metadata.resourceVersion}`)
  return { source, store: kept, names }
}

describe('a source', () => {
  it('lists in pages, and watches from the last one', async () => {
    const pages = [page([configMap('a', '1')], '4', 'p2'), page([configMap('b', '2')], '4')]
    const {
      source,
      names,
      store: kept,
    } = follow({
      pages,
      watches: [{ events: [50, set('a', '5'), 50, { ...set('b', '6'), type: 'remove' } as WatchEvent, bookmark('9')] }],
    })
    expect(source.isSynced()).toBe(false)
    await clock.settle()
    expect(source.isSynced()).toBe(true)
    expect(names()).toEqual(['a:1', 'b:2'])
    expect(asked).toEqual(['list 500 @0', 'list p2 @0', 'watch 4 @0'])
    await clock.advance(60)
    expect(names()).toEqual(['a:5', 'b:2'])
    await clock.advance(240_100)
    expect(names()).toEqual(['a:5'])
    expect(Object.isFrozen(kept.get('ns/a'))).toBe(true)
    // The watch has ended in time and is continued from the bookmark.
    expect(asked.slice(3)).toEqual(['watch 9 @240100'])
    expect(problems).toEqual([])
  })

  it('does not show a list before it is complete', async () => {
    const { source, names } = follow({ pages: [page([configMap('a', '1')], '4', 'p2'), refused(500)], watches: [{}] })
    await clock.advance(5000)
    expect([source.isSynced(), names()]).toEqual([false, []])
    expect(problems).toEqual(['refused with 500'])
  })

  it('stores what is left after trimming', async () => {
    const trim = (object: KubeObject): KubeObject => ({ ...object, data: undefined })
    const { store: kept } = follow(
      { pages: [page([configMap('a', '1', {}, { big: 'x' })], '4')], watches: [{}] },
      { trim },
    )
    await clock.settle()
    expect(kept.get('ns/a')?.['data']).toBeUndefined()
  })

  it('goes on at the same version when a watch is cut, and at once if it had lasted', async () => {
    const cut = new Error('socket hang up')
    follow({
      pages: [page([], '4')],
      watches: [{ events: [6000, set('a', '5')], fails: cut }, { fails: cut }, { fails: cut }, {}],
    })
    await clock.advance(20_000)
    expect(asked).toEqual(['list 500 @0', 'watch 4 @0', 'watch 5 @6000', 'watch 5 @7000', 'watch 5 @9000'])
    expect(problems).toEqual(['socket hang up', undefined])
  })

  it('begins with short pauses again after a watch that lasted', async () => {
    const cut = new Error('socket hang up')
    const fails = { fails: cut }
    follow({ pages: [page([], '4')], watches: [fails, fails, fails, { events: [6000], fails: cut }, fails, {}] })
    await clock.advance(20_000)
    // Pauses of 1, 2 and 4 seconds, none after the one that lasted, and 1 second.
    expect(asked.slice(1)).toEqual([0, 1000, 3000, 7000, 13_000, 14_000].map((at) => `watch 4 @${at}`))
  })

  it('tells that it cannot reach the API, and when it can again', async () => {
    const gone = refused(undefined)
    follow({
      pages: [page([], '4')],
      watches: [{ events: [10_000], fails: gone }, { events: [10_000], fails: gone }, {}],
    })
    await clock.advance(60_000)
    expect(problems).toEqual(['refused with undefined', undefined])
    expect(asked).toEqual(['list 500 @0', 'watch 4 @0', 'watch 4 @11000', 'watch 4 @23000'])
  })

  it('lists anew when its version is too old, and counts what it had missed', async () => {
    const pages = [
      page([configMap('gone', '1'), configMap('same', '2')], '4'),
      page([configMap('same', '2'), configMap('new', '7')], '8'),
    ]
    const { source, names } = follow({ pages, watches: [{ events: [6000], fails: refused(410) }, {}] })
    await clock.advance(10_000)
    expect(asked).toEqual(['list 500 @0', 'watch 4 @0', 'list 500 @6000', 'watch 8 @6000'])
    expect(names()).toEqual(['same:2', 'new:7'])
    expect(source.counts()).toEqual({ lists: 2, watches: 2, missed: 2 })
  })

  it('does not list without pauses if each watch says at once that its version is too old', async () => {
    follow({ pages: [page([], '4')], watches: [{ fails: refused(410) }] })
    await clock.advance(59_999)
    // At once, and then with pauses of 2, 4, 8, 16 and 30 seconds.
    expect(asked.filter((one) => one.startsWith('list'))).toEqual(
      [0, 0, 2000, 6000, 14_000, 30_000].map((at) => `list 500 @${at}`),
    )
  })

  it('lists anew when the API goes on ending watches with errors', async () => {
    follow({
      pages: [page([], '4'), page([], '9')],
      watches: [{ fails: refused(500) }, { fails: refused(500) }, { fails: refused(500) }, {}],
    })
    await clock.advance(20_000)
    expect(asked.slice(-2)).toEqual(['list 500 @7000', 'watch 9 @7000'])
  })

  it('ends a watch that the API does not end, and lists anew when it hears nothing any more', async () => {
    const { source } = follow({ pages: [page([], '4')], watches: [{ hangs: true }] })
    await clock.advance(500_001)
    expect(asked).toEqual(['list 500 @0', 'watch 4 @0', 'watch 4 @250000', 'list 500 @500000', 'watch 4 @500000'])
    expect(source.silence()).toBe(1)
  })

  it('is deaf when nothing came for three times the length of a watch', async () => {
    const { source } = follow({ pages: [page([], '4'), refused(undefined)], watches: [{ fails: refused(undefined) }] })
    await clock.advance(719_999)
    expect(source.isDeaf()).toBe(false)
    await clock.advance(1)
    expect(source.isDeaf()).toBe(true)
  })

  it('lists anew when it is asked to, and says when it shows what there was then', async () => {
    const pages = [page([configMap('a', '1')], '4'), page([configMap('b', '5')], '8')]
    const { source, names } = follow({ pages, watches: [{}] })
    await clock.advance(1000)
    const shown = [source.refresh(), source.refresh()].map((one) => one.then(names))
    expect(await Promise.all(shown)).toEqual([['b:5'], ['b:5']])
    await clock.settle()
    expect(asked).toEqual(['list 500 @0', 'watch 4 @0', 'list 500 @1000', 'watch 8 @1000'])
    expect(source.counts().missed).toBe(0)
    expect(problems).toEqual([])
  })

  it('begins another list if it is asked to during one, which may have been too early', async () => {
    const pages = [page([], '4'), page([configMap('a', '5')], '8')]
    const { source, names } = follow({ pages, watches: [{}] })
    await source.refresh()
    expect(names()).toEqual(['a:5'])
    await clock.settle()
    expect(asked).toEqual(['list 500 @0', 'list 500 @0', 'watch 8 @0'])
  })

  it('goes on trying to list when it was asked to and that fails, with pauses', async () => {
    const gone = refused(undefined)
    const { source, names } = follow({
      pages: [page([], '4'), gone, gone, page([configMap('a', '5')], '8')],
      watches: [{}],
    })
    await clock.advance(1000)
    const shown = source.refresh().then(names)
    await clock.advance(10_000)
    expect(await shown).toEqual(['a:5'])
    expect(asked.slice(2)).toEqual(['list 500 @1000', 'list 500 @2000', 'list 500 @4000', 'watch 8 @4000'])
  })

  it('ends with its signal', async () => {
    follow({ pages: [page([], '4')], watches: [{}] })
    await clock.settle()
    stop.abort()
    await clock.settle()
    expect(clock.pending).toBe(0)
    await clock.advance(1_000_000)
    expect(asked).toHaveLength(2)
  })
})
