import { afterEach, expect, it } from 'vitest'
import { pollStatus } from '../../../agent/tailscaled/poll-status.ts'
import { tailnetKeeper } from '../../../agent/tailscaled/tailnet.ts'
import { shortTimings as timings } from '../../../agent/world/timings.ts'
import type { Tailnet } from '../../../agent/world/world.ts'
import { LocalApiError } from '../../../localapi/error.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { aContext } from '../a-context.ts'
import { aWorld, self } from '../a-world.ts'

const endings: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of endings.splice(0)) await end()
})

/** Follows the status of a tailscaled that answers like this, beside a bus that has reported `tailnet`. */
function follow(answer: () => Promise<string>, tailnet: Partial<Tailnet> = {}) {
  const { tailnet: all, ...world } = aWorld()
  const clock = new VirtualClock()
  const { context, store, lines, stop } = aContext(
    { ...world, tailnet: { ...all, ...tailnet } },
    { timings, clock, api: { get: answer } },
  )
  const following = pollStatus(context, tailnetKeeper(store))
  endings.push(async () => {
    stop.abort()
    await following
  })
  return { store, lines, clock }
}

const refused = (code: string) => async (): Promise<string> => {
  throw new LocalApiError('LocalAPI status failed', Object.assign(new Error(code), { code }))
}

it('finds the login URL, which the bus does not report, and a missed state', async () => {
  const { store, clock } = follow(async () => JSON.stringify({ BackendState: 'NeedsLogin', AuthURL: 'https://x/a' }))
  await clock.advance(timings.unread)
  expect(store.world.tailnet).toMatchObject({ state: 'NeedsLogin', loginUrl: 'https://x/a' })
})

it('an answer waits for older messages of the bus, which would take it back', async () => {
  const status = { Self: { ID: 'n1', DNSName: 'newest.', TailscaleIPs: ['100.64.0.1'] } }
  const { store, clock } = follow(async () => JSON.stringify(status))
  await clock.settle()
  expect(store.world.tailnet.self).toEqual(self)
  store.update((world) => ({ ...world, tailnet: { ...world.tailnet, self: { ...self, name: 'new.' } } }))
  await clock.advance(timings.unread)
  expect(store.world.tailnet.self?.name).toBe('new.')
  await clock.advance(timings.statusPoll + timings.unread)
  expect(store.world.tailnet.self?.name).toBe('newest.')
})

it('polls more often while a login is needed', async () => {
  let asked = 0
  let state = 'NeedsLogin'
  const { clock } = follow(async () => {
    asked += 1
    return JSON.stringify({ BackendState: state, Self: { ID: 'n1', DNSName: 'p.', TailscaleIPs: ['100.64.0.1'] } })
  })
  await clock.advance(timings.unread + timings.loginPoll * 4)
  expect(asked).toBe(5)
  state = 'Running'
  await clock.advance(timings.unread + timings.loginPoll)
  asked = 0
  await clock.advance(timings.statusPoll * 4)
  expect(asked).toBe(4)
})

it('a message of the bus meanwhile is newer, and without a bus the state stays unknown', async () => {
  const answered = Promise.withResolvers<string>()
  let count = 0
  const { store, clock } = follow(async () => {
    count += 1
    return count === 1 ? answered.promise : '{}'
  })
  await clock.settle()
  expect(count).toBe(1)
  store.update((world) => ({ ...world, tailnet: { ...world.tailnet, state: 'Stopped' } }))
  answered.resolve('{"BackendState":"Running"}')
  await clock.advance(timings.statusPoll)
  expect(count).toBeGreaterThan(1)
  expect(store.world.tailnet.state).toBe('Stopped')

  let asked = 0
  const closed = follow(
    async () => {
      asked += 1
      return '{"BackendState":"Running"}'
    },
    { watching: false, state: 'Stopped' },
  )
  await closed.clock.advance(timings.statusPoll * 6)
  expect(asked).toBeGreaterThan(5)
  expect(closed.store.world.tailnet).toMatchObject({ watching: false, state: 'Stopped' })
})

it('a tailscaled that does not answer is marked silent, until it answers or is gone', async () => {
  let answer = refused('ETIMEDOUT')
  const { store, lines, clock } = follow(async () => answer())
  await clock.settle()
  expect(store.world.tailnet.silent).toBe('LocalAPI status failed: ETIMEDOUT')
  answer = async () => '{"BackendState":"Running"}'
  await clock.advance(timings.statusPoll)
  expect(store.world.tailnet).not.toHaveProperty('silent')
  answer = refused('ECONNREFUSED')
  await clock.advance(timings.statusPoll)
  expect(store.world.tailnet).toHaveProperty('silent')
  store.update((world) => ({ ...world, daemon: { ...world.daemon, phase: 'down' } }))
  await clock.settle()
  expect(store.world.tailnet).not.toHaveProperty('silent')
  expect(store.world.tailnet.self).toEqual(self)
  expect(lines).toEqual([])
})

it.each<[string, () => Promise<string>, RegExp]>([
  ['drops the connection', refused('ECONNRESET'), /^status: LocalAPI status failed: ECONNRESET$/],
  [
    'answers with something unreadable',
    async () => '{"BackendState":6}',
    /^status: tailscaled said what cannot be read/,
  ],
])('one that %s is not silent, and is reported once', async (_name, answer, logged) => {
  let asked = 0
  const { store, lines, clock } = follow(async () => {
    asked += 1
    return answer()
  })
  await clock.advance(timings.statusPoll * 6)
  expect(asked).toBeGreaterThan(5)
  expect(store.world.tailnet).not.toHaveProperty('silent')
  expect(lines).toEqual([expect.stringMatching(logged)])
})
