import { describe, expect, it } from 'vitest'
import { RemoteError, type RemoteReason } from '../../../recorder/store/remote.ts'
import { Uploader } from '../../../recorder/store/uploader.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'

/** An uploader to a remote that fails as `failures` say: all, or some keys. */
function anUploader(all?: RemoteError) {
  const clock = new VirtualClock()
  const failures = new Map<string, unknown>(all && [['all', all]])
  const [tried, told]: [string[], string[]] = [[], []]
  const held = new Map<string, PromiseWithResolvers<void>>()
  const over = new AbortController()
  const uploader: Uploader = new Uploader({
    clock,
    upload: async (key) => {
      tried.push(key)
      await held.get(key)?.promise
      const failure = failures.get('all') ?? failures.get(key)
      if (failure !== undefined) throw failure
    },
    look: async () => {
      if (failures.has('all')) throw failures.get('all')
    },
    kept: async (key, isWanted) => {
      told.push(`kept ${key} ${uploader.drop(key)}${isWanted ? '' : ' for nothing'}`)
    },
    changed: (failure) => void told.push(failure?.reason ?? 'well'),
    failed: (key) => void told.push(`failed ${key}`),
  })
  void uploader.run(over.signal)
  return { clock, failures, tried, told, held, uploader, end: () => over.abort() }
}

const failure = (reason: RemoteReason): RemoteError => new RemoteError(reason, reason)

describe('an uploader', () => {
  it('uploads what is added, the oldest first, and no more than a few at once', async () => {
    const { clock, uploader, tried, told, held } = anUploader()
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    for (const name of names) held.set(name, Promise.withResolvers())
    for (const name of names) uploader.add(name, 1)
    await clock.advance(1000)
    expect(tried).toEqual(['a', 'b', 'c', 'd'])
    expect(uploader.state).toMatchObject({ waiting: 6, ms: 1000 })
    held.get('b')!.resolve()
    await clock.advance(0)
    expect([tried, told]).toEqual([['a', 'b', 'c', 'd', 'e'], ['kept b 1']])
    for (const { resolve } of held.values()) resolve()
    await uploader.empty()
    expect(uploader.state).toMatchObject({ waiting: 0, ms: 0 })
  })

  it('tries in growing pauses, which are the same for all, while nothing can be stored', async () => {
    const { clock, uploader, tried, told, failures } = anUploader(failure('unreachable'))
    for (let at = 0; at < 1000; at += 1) uploader.add(`key ${at}`, 1)
    await clock.advance(10 * 60_000)
    expect(tried.length).toBeLessThan(200)
    expect(tried.length).toBeGreaterThan(10)
    expect(told).toEqual(['unreachable'])
    failures.set('all', failure('credentials'))
    await clock.advance(60_000)
    expect(uploader.failure?.isLasting).toBe(true)
    failures.clear()
    await clock.advance(60_000)
    expect(uploader.state.waiting).toBe(0)
    expect(told.slice(0, 3)).toEqual(['unreachable', 'credentials', 'well'])
    expect(uploader.failure).toBeUndefined()
  })

  it('learns that a failure is over when there is nothing to upload', async () => {
    const { clock, told, failures } = anUploader(failure('bucket'))
    await clock.advance(60_000)
    expect(told).toEqual(['bucket'])
    failures.clear()
    await clock.advance(60_000)
    expect(told).toEqual(['bucket', 'well'])
  })

  it('goes on with others when one cannot be stored, and tries that one again, ever less often', async () => {
    const { clock, uploader, tried, told, failures } = anUploader()
    failures.set('bad', failure('refused'))
    uploader.add('bad', 1)
    uploader.add('good', 1)
    await clock.advance(3_600_000)
    expect(told).toEqual(['failed bad', 'kept good 1'])
    expect(tried.length).toBeLessThan(30)
    failures.set('bad', new Error('the disk fails'))
    await clock.advance(3_600_000)
    expect(told.at(-1)).toBe('failed bad')
    failures.clear()
    await clock.advance(3_600_000)
    expect(told.at(-1)).toBe('kept bad 1')
    expect(uploader.state.failures.map(({ labels }) => labels?.['reason'])).toEqual(['refused', 'spool'])
  })

  it('goes on with others when S3 says of some that nothing can be stored', async () => {
    const { clock, uploader, told, failures } = anUploader()
    const refused = ['a', 'b', 'c', 'd', 'e', 'f']
    for (const name of refused) failures.set(name, failure('denied'))
    for (const name of [...refused, 'good']) uploader.add(name, 1)
    await clock.advance(600_000)
    expect(told).toContain('kept good 1')
    expect(uploader.state).toMatchObject({ waiting: 6, ms: 600_000 })
  })

  it('says that what was removed meanwhile is stored for nothing', async () => {
    const { clock, uploader, told, held } = anUploader()
    held.set('a', Promise.withResolvers())
    uploader.add('a', 5)
    await clock.advance(0)
    expect(uploader.drop('a')).toBe(5)
    held.get('a')!.resolve()
    await clock.advance(0)
    expect(told).toEqual(['kept a 0 for nothing'])
  })

  it('ends', async () => {
    const { clock, uploader, tried, end } = anUploader()
    await clock.advance(0)
    end()
    await clock.advance(0)
    uploader.add('a', 1)
    await clock.advance(60_000)
    expect([tried, clock.pending]).toEqual([[], 0])
  })
})
