import * as fc from 'fast-check'
import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { json, secretJson, type Seen, statusJson } from './api-server.ts'
import { event, Followed, kindOf, modified } from './followed.ts'

const api = Followed.forEach()
const bookmark = (version: string): string =>
  event('BOOKMARK', { kind: 'Secret', metadata: { resourceVersion: version, creationTimestamp: null } })
const versionOf = ({ url = '' }: Seen): string | null => new URL(url, 'https://api').searchParams.get('resourceVersion')

describe('a watch', () => {
  it('yields the current Secret and each change, wherever the stream is split', async () => {
    const stream = Buffer.from(
      [
        modified('11'),
        bookmark('12'),
        event('DELETED', secretJson('a', '13')),
        event('ADDED', secretJson('a', '14', { key: 'ü'.repeat(50) })),
        modified('15'),
      ].join(''),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: stream.length }), { maxLength: 6 }), async (cuts) => {
        api.serve((response) => {
          let start = 0
          for (const end of [...cuts.toSorted((a, b) => a - b), stream.length]) {
            response.write(stream.subarray(start, end))
            start = end
          }
        })
        api.stop = new AbortController()
        const { yielded, done } = api.follow()
        await expect.poll(() => yielded, { interval: 5 }).toEqual(['1', '11', 'gone', '14', '15'])
        api.stop.abort()
        await done
      }),
      { numRuns: 20 },
    )
  })

  it('begins at the resource version of the list', async () => {
    api.serve((response) => response.write(''))
    api.follow()
    await expect.poll(() => api.asked()).toEqual(['list', 'watch'])
    expect(versionOf(api.server.seen[1]!)).toBe('10')
    expect(api.server.seen[1]?.url).toContain('fieldSelector=metadata.name%3Da')
  })

  it('sees an absent Secret, and its creation', async () => {
    api.server.answer = (seen, response) => {
      if (kindOf(seen) === 'list') json(response, { metadata: { resourceVersion: '10' }, items: [] })
      else response.write(event('ADDED', secretJson('a', '11')))
    }
    const { yielded } = api.follow()
    await expect.poll(() => yielded).toEqual(['gone', '11'])
  })

  it('resumes at the last version, also that of a bookmark', async () => {
    const ends = ['12', '13']
    api.serve((response) => {
      const version = ends.shift()
      response.write(version === '12' ? modified('12') : version === '13' ? bookmark('13') : '')
      if (version !== undefined) response.end()
    })
    const { yielded } = api.follow({ settled: 0 })
    await expect.poll(() => api.asked()).toEqual(['list', 'watch', 'watch', 'watch'])
    expect(api.server.seen.slice(1).map(versionOf)).toEqual(['10', '12', '13'])
    expect(yielded).toEqual(['1', '12'])
  })

  it.each<[string, (response: ServerResponse) => void]>([
    [
      'its version is too old, as an event',
      (response) => response.write(event('ERROR', statusJson(410, 'Expired', 'too old'))),
    ],
    ['its version is too old, as a Status', (response) => json(response, statusJson(410, 'Expired', 'too old'), 410)],
    [
      'the connection breaks',
      (response) => {
        response.flushHeaders()
        setTimeout(() => response.destroy(), 20)
      },
    ],
    ['it breaks within a line', (response) => response.write('{"type":"MOD', () => response.destroy())],
    ['it sends something that is not an event', (response) => response.write('<html>\n')],
    ['it sends another Secret', (response) => response.write(event('MODIFIED', secretJson('b', '12')))],
    ['it ends at once', (response) => response.end()],
    ['the API fails', (response) => json(response, {}, 500)],
  ])('restarts after a get when %s', async (_name, fail) => {
    let first = true
    api.serve((response) => {
      if (first) {
        api.version = '20'
        fail(response)
      } else response.write(modified('21'))
      first = false
    })
    const { yielded, problems } = api.follow({ poll: 600_000, settled: 600_000 })
    await expect.poll(() => yielded).toEqual(['1', '20', '21'])
    expect(api.asked()).toEqual(['list', 'watch', 'get', 'list', 'watch'])
    expect(problems).toEqual([])
  })

  it('ends when a line is too long for a Secret', async () => {
    const long = Buffer.alloc(1024 * 1024, 'x')
    let sent = 0
    api.serve((response) => {
      const more = (): void => {
        sent += long.length
        if (!response.destroyed && sent < 20 * long.length) response.write(long, more)
      }
      if (sent === 0) more()
    })
    const { yielded } = api.follow()
    await expect.poll(() => api.count('watch')).toBe(2)
    expect(sent).toBeLessThan(12 * long.length)
    expect(yielded).toEqual(['1'])
  })

  it('has no time limit once its head has come', async () => {
    api.serve((response) => {
      response.flushHeaders()
      setTimeout(() => response.write(modified('11')), 2000)
    })
    const { yielded } = api.follow({}, 1500)
    await expect.poll(() => yielded).toEqual(['1', '11'])
    expect(api.asked()).toEqual(['list', 'watch'])
  })

  it('restarts without growing pauses when it breaks after working', async () => {
    api.serve((response) => {
      response.flushHeaders()
      setTimeout(() => response.destroy(), 80)
    })
    api.follow({ rewatch: 60_000, settled: 50 })
    // Growing pauses would add up to five seconds.
    await expect.poll(() => api.count('watch')).toBeGreaterThan(8)
  })

  it('has a time limit for the head of an answer', async () => {
    api.serve(() => {})
    api.follow({}, 100)
    await expect.poll(() => api.asked()).toEqual(expect.arrayContaining(['list', 'watch', 'get']))
  })

  it('ends with its signal, and closes its connection', async () => {
    api.serve((response) => response.write(''))
    const { done, yielded } = api.follow()
    await expect.poll(() => api.asked()).toEqual(['list', 'watch'])
    api.stop.abort()
    await done
    expect(yielded).toEqual(['1'])
    await expect.poll(() => api.server.open()).toBe(0)
  })
})
