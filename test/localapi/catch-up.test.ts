import { afterEach, expect, it } from 'vitest'
import { catchUp } from '../../localapi/catch-up.ts'
import type { Notification } from '../../localapi/notify.ts'
import type { Peer, PeersChange } from '../../localapi/peers.ts'

const reported = (name: string, whole = false): PeersChange => ({
  whole,
  changed: new Map<string, Peer>([[name, { name, addresses: [], allowed: [] }]]),
  removed: [],
})
const partial = { partial: true, peers: [reported('self')] } as const
const records = [{ name: 'db.', address: { family: 4, text: '100.99.0.1' } }] as const

const ended: AbortController[] = []
afterEach(() => ended.splice(0).forEach((controller) => controller.abort()))

/** Messages and answers that the test gives one by one; returns what comes of both. */
function start() {
  const end = new AbortController()
  ended.push(end)
  const came: Notification[] = []
  const questions: PromiseWithResolvers<Notification | undefined>[] = []
  const queue: Notification[] = []
  let wake = Promise.withResolvers<void>()
  const done = (async () => {
    async function* messages(): AsyncGenerator<Notification> {
      for (;;) {
        while (queue.length > 0) yield* queue.splice(0)
        await wake.promise
        end.signal.throwIfAborted()
        wake = Promise.withResolvers()
      }
    }
    const ask = (): Promise<Notification | undefined> => {
      const question = Promise.withResolvers<Notification | undefined>()
      questions.push(question)
      return question.promise
    }
    for await (const message of catchUp(messages(), ask, end.signal)) came.push(message)
  })()
  return {
    came,
    questions,
    send: async (...messages: Notification[]) => {
      const due = came.length + messages.length
      queue.push(...messages)
      wake.resolve()
      await expect.poll(() => came.length, { interval: 1 }).toBe(due)
    },
    stop: () => {
      end.abort()
      wake.resolve()
      return done
    },
  }
}

it('passes messages on, and reads the status only after a message that is incomplete', async () => {
  const { send, came, questions } = start()
  await send({ state: 'Running' }, { peers: [reported('a')] })
  expect(came).toEqual([{ state: 'Running' }, { peers: [reported('a')] }])
  expect(questions).toHaveLength(0)
})

it('inserts the answer among the messages, followed by what was sent since the request', async () => {
  const { send, came, questions } = start()
  await send({ peers: [reported('before')] }, partial)
  await expect.poll(() => questions.length).toBe(1)
  await send({ peers: [reported('since')] }, { state: 'Running' })
  questions[0]?.resolve({
    state: 'Stopped',
    initial: true,
    peers: [reported('all', true)],
    records,
    certDomains: ['a.b'],
  })
  const answer = { peers: [reported('all', true), reported('since')], records, certDomains: ['a.b'] }
  await expect.poll(() => came.at(-1)).toEqual(answer)
  expect(came).toHaveLength(5)
})

it('sends one request for many messages, and another for those that came after it', async () => {
  const { send, came, questions } = start()
  await send(partial, partial, partial)
  await expect.poll(() => questions.length).toBe(1)
  await send(partial, partial)
  questions[0]?.resolve({ records: [] })
  await expect.poll(() => questions.length).toBe(2)
  questions[1]?.resolve({ records })
  await expect.poll(() => came.at(-1)).toEqual({ records })
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(questions).toHaveLength(2)
})

it('waits longer before the next request when an answer took long', async () => {
  const { send, questions } = start()
  await send(partial)
  await expect.poll(() => questions.length).toBe(1)
  await new Promise((resolve) => setTimeout(resolve, 50))
  await send(partial)
  const answered = performance.now()
  questions[0]?.resolve({ records })
  await expect.poll(() => questions.length, { interval: 1 }).toBe(2)
  expect(performance.now() - answered).toBeGreaterThan(200)
})

it('goes on after a failed request', async () => {
  const { send, came, questions } = start()
  await send(partial)
  await expect.poll(() => questions.length).toBe(1)
  questions[0]?.resolve(undefined)
  await send({ state: 'Running' })
  expect(came).toEqual([partial, { state: 'Running' }])
  expect(questions).toHaveLength(1)
})

it('ends with the messages, although a request is still open', async () => {
  const { send, questions, stop } = start()
  await send(partial)
  await expect.poll(() => questions.length).toBe(1)
  await expect(stop()).rejects.toThrow(/aborted/)
})
