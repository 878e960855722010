import { expect, test } from 'vitest'
import { breaker } from '../../../operator/api/breaker.ts'
import { tailscaleApi } from '../../../operator/api/client.ts'
import { ApiError } from '../../../operator/api/error.ts'
import { reasonOf } from '../../kube/api-server.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { reply, ScriptedApi } from './scripted-api.ts'

const never = new AbortController().signal
const late = new ApiError('no answer', { problem: 'unavailable', isLate: true })
const refused = new ApiError('no', { problem: 'refused', status: 400 })

function start() {
  const clock = new VirtualClock()
  const told: boolean[] = []
  const { call } = breaker(clock, (is) => void told.push(is))
  let sent = 0
  const ask = (result: Promise<string> | ApiError, signal = never): Promise<unknown> =>
    call(
      'asking',
      async () => {
        sent += 1
        if (result instanceof ApiError) throw result
        return result
      },
      signal,
    ).catch((error: unknown) => (error instanceof ApiError ? error.message : error))
  return { clock, told, ask, sent: () => sent }
}

const answer = Promise.resolve('well')
const notSent = 'Tailscale API: asking was not tried, since the last calls had no answer'

test('after three time-outs in a row nothing is sent for a while; then one call is, and if it is answered all are', async () => {
  const { clock, told, ask, sent } = start()
  for (const _ of [1, 2, 3]) expect(await ask(late)).toBe('no answer')
  expect(told).toEqual([true])
  expect([await ask(answer), sent()]).toEqual([notSent, 3])
  await clock.advance(29_999)
  expect([await ask(answer), sent()]).toEqual([notSent, 3])
  await clock.advance(1)
  const { promise, resolve } = Promise.withResolvers<string>()
  const trial = ask(promise)
  expect([await ask(answer), sent()]).toEqual([notSent, 4])
  resolve('well')
  expect(await trial).toBe('well')
  expect(await ask(answer)).toBe('well')
  expect(told).toEqual([true, false])
})

test('a trial that has no answer either is followed by another pause', async () => {
  const { clock, told, ask, sent } = start()
  for (const _ of [1, 2, 3]) await ask(late)
  await clock.advance(30_000)
  expect([await ask(late), await ask(answer), sent()]).toEqual(['no answer', notSent, 4])
  await clock.advance(30_000)
  expect(await ask(answer)).toBe('well')
  expect(told).toEqual([true, false])
})

test('a trial whose caller has no more time says nothing, and the next call is one', async () => {
  const { clock, ask } = start()
  for (const _ of [1, 2, 3]) await ask(late)
  await clock.advance(30_000)
  await ask(new ApiError('aborted', { problem: 'unavailable' }), AbortSignal.abort())
  expect(await ask(answer)).toBe('well')
})

test('time-outs that do not follow each other, and any answer, refuse no call', async () => {
  const { told, ask } = start()
  for (const result of [late, late, answer, late, late, refused, late, late]) await ask(result)
  expect(await ask(answer)).toBe('well')
  expect(told).toEqual([])
})

test('a server that never answers is told as that, and no longer waited for', async () => {
  await using server = await ScriptedApi.start()
  const clock = new VirtualClock()
  const told: boolean[] = []
  const api = tailscaleApi(server.url, server.files, clock, { callMs: 300, suspended: (is) => void told.push(is) })
  server.answer = () => {}
  for (const _ of [1, 2, 3])
    expect(await reasonOf(api.getDevice('n1', never))).toMatchObject({ problem: 'unavailable', isLate: true })
  expect(await reasonOf(api.getDevice('n1', never))).toMatchObject({
    message: 'Tailscale API: getting device n1 was not tried, since the last calls had no answer',
    retryable: true,
  })
  expect(server.calls.length).toBeLessThanOrEqual(3)
  server.answer = (_seen, response) => reply(response, { nodeId: 'n1' })
  // On a busy machine a trial may be late, too.
  const trial = async () => {
    await clock.advance(30_000)
    return api.getDevice('n1', never).catch(() => undefined)
  }
  await expect.poll(trial).toMatchObject({ id: 'n1' })
  expect(told).toEqual([true, false])
})
