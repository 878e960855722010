import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { json, secretJson, statusJson } from './api-server.ts'
import { Followed, kindOf, modified } from './followed.ts'

const api = Followed.forEach()

/** Expects these first pauses, each up to a fifth shorter or longer. */
function expectPauses(pauses: readonly number[], expected: readonly number[]): void {
  for (const [index, ms] of expected.entries()) {
    expect(pauses[index]! / ms).toBeGreaterThan(0.79)
    expect(pauses[index]! / ms).toBeLessThan(1.21)
  }
}

describe('without a watch', () => {
  it.each([403, 404, 405, 501])('the Secret is polled (%i)', async (status) => {
    let looks = 0
    api.server.answer = (seen, response) => {
      if (kindOf(seen) !== 'get') return json(response, statusJson(status, 'Forbidden', 'no'), status)
      looks += 1
      return looks < 3
        ? json(response, secretJson('a', '1'))
        : looks < 5
          ? json(response, statusJson(404, 'NotFound', 'not found'), 404)
          : json(response, secretJson('a', '2'))
    }
    const { yielded, problems } = api.follow({ rewatch: 600_000 })
    await expect.poll(() => yielded).toEqual(['1', 'gone', '2'])
    expect(api.asked().filter((kind) => kind !== 'get')).toEqual(['list'])
    expect(problems).toEqual([])
  })

  it('a watch is tried again later', async () => {
    let refused = true
    api.serve((response) => (refused ? json(response, {}, 403) : response.write(modified('11'))))
    const { yielded } = api.follow({ rewatch: 200 })
    await expect.poll(() => api.count('get')).toBeGreaterThan(3)
    refused = false
    await expect.poll(() => yielded).toEqual(['1', '11'])
    const after = api.server.seen.length
    await delay(100)
    expect(api.server.seen).toHaveLength(after)
  })

  it('watches that end at once are retried with growing pauses', async () => {
    api.serve((response) => response.end())
    const { pauses } = api.follow({ poll: 10_000, settled: 10_000, retry: 40, rewatch: 10_000 })
    await expect.poll(() => pauses.length).toBeGreaterThanOrEqual(5)
    expectPauses(pauses, [40, 80, 160, 320])
  })

  it('an API that drops unknown requests is enough', async () => {
    let value = 'Yg=='
    api.server.answer = (seen, response, request) => {
      if (kindOf(seen) === 'get') json(response, { data: { a: value } })
      else request.socket.destroy()
    }
    const { yielded } = api.follow({}, undefined, ({ data }) => String(data.get('a')))
    await expect.poll(() => yielded.at(-1)).toBe('b')
    value = 'Yw=='
    await expect.poll(() => yielded.at(-1)).toBe('c')
  })
})

describe('a failure', () => {
  it('is reported once, as is its end, and the watch returns with the API', async () => {
    api.serve((response) => response.write(modified('11')))
    const { answer } = api.server
    let gone = true
    api.server.answer = (seen, response, request) => (gone ? json(response, {}, 500) : answer(seen, response, request))
    const { yielded, problems } = api.follow({ rewatch: 60_000 })
    await expect.poll(() => api.count('list')).toBeGreaterThanOrEqual(7)
    expect(problems).toEqual(['get of Secret "a" in namespace "ts" failed: 500'])
    gone = false
    await expect.poll(() => yielded).toEqual(['1', '11'])
    expect(api.count('watch')).toBe(1)
    expect(problems).toEqual(['get of Secret "a" in namespace "ts" failed: 500', undefined])
  })

  it('of the Secret does not cause more watches if they are refused', async () => {
    api.server.answer = (seen, response) => {
      if (kindOf(seen) !== 'get') json(response, {}, 403)
      else if (api.count('get') === 1) json(response, {}, 500)
      else json(response, secretJson('a', '1'))
    }
    api.follow({ rewatch: 60_000 })
    await expect.poll(() => api.count('get')).toBeGreaterThan(7)
    expect(api.count('list')).toBe(2)
  })

  it('is retried with growing pauses, up to the polling interval', async () => {
    api.server.answer = (_seen, response) => json(response, {}, 500)
    const { pauses, done } = api.follow({ poll: 10_000, retry: 40, rewatch: 10_000 })
    await expect.poll(() => pauses.length).toBeGreaterThanOrEqual(5)
    expectPauses(pauses, [40, 80, 160, 320])
    // A watch and the Secret are requested, and nothing else between two pauses.
    expect(api.asked().slice(0, 8)).toEqual(['list', 'get', 'list', 'get', 'list', 'get', 'list', 'get'])
    api.stop.abort()
    await done
  })

  it('is reported with its remedy when the permission to get is missing', async () => {
    api.server.answer = (_seen, response) => json(response, statusJson(403, 'Forbidden', 'no'), 403)
    const { problems, yielded } = api.follow()
    await expect.poll(() => problems).toEqual([expect.stringMatching(/403 no\. Grant .* the verb get on Secret "a"/)])
    expect(yielded).toEqual([])
  })
})
