import { afterEach, expect, it } from 'vitest'
import { followStatus } from '../../../agent/tailscaled/poll-status.ts'
import { shortWaits } from '../../../agent/world/timings.ts'
import { createStore, type Tailnet } from '../../../agent/world/world.ts'
import { LocalApiError } from '../../../localapi/error.ts'
import { aWorld, self } from '../a-world.ts'

const endings: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of endings.splice(0)) await end()
})

/** Follows the status of a tailscaled that answers so, or fails so, beside a bus that has said `tailnet`. */
function follow(answer: () => Promise<string>, tailnet: Partial<Tailnet> = {}) {
  const { tailnet: all, ...world } = aWorld()
  const store = createStore({ ...world, tailnet: { ...all, ...tailnet } })
  const ended = new AbortController()
  const log: string[] = []
  const unused = (): never => {
    throw new Error('not asked')
  }
  const api = { get: answer, post: unused, patch: unused, stream: unused }
  const waits = { ...shortWaits, loginPoll: 5, statusPoll: 5 }
  const following = followStatus({ store, api, waits, log: (text) => log.push(text) }, ended.signal)
  endings.push(async () => {
    ended.abort()
    await following
  })
  return { store, log }
}

const refused = (code: string) => async (): Promise<string> => {
  throw new LocalApiError('LocalAPI status failed', Object.assign(new Error(code), { code }))
}

it('where to log in, which the bus does not tell, and a state that was missed', async () => {
  const { store } = follow(async () => JSON.stringify({ BackendState: 'NeedsLogin', AuthURL: 'https://x/a' }))
  await expect.poll(() => store.world.tailnet).toMatchObject({ state: 'NeedsLogin', loginUrl: 'https://x/a' })
})

it('what the bus says meanwhile is newer, and a closed bus is not spoken for', async () => {
  const asked = Promise.withResolvers<void>()
  const answered = Promise.withResolvers<string>()
  let count = 0
  const { store } = follow(async () => {
    asked.resolve()
    count += 1
    return count === 1 ? answered.promise : '{}'
  })
  await asked.promise
  store.update((world) => ({ ...world, tailnet: { ...world.tailnet, state: 'Stopped' } }))
  answered.resolve('{"BackendState":"Running"}')
  await expect.poll(() => count).toBeGreaterThan(1)
  expect(store.world.tailnet.state).toBe('Stopped')

  const { store: closed } = follow(async () => '{"BackendState":"Running"}', { watching: false, state: 'Stopped' })
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(closed.world.tailnet).toMatchObject({ watching: false, state: 'Stopped' })
})

it('a tailscaled that does not answer is silent, until it does or is gone', async () => {
  let answer = refused('ETIMEDOUT')
  const { store, log } = follow(async () => answer())
  await expect.poll(() => store.world.tailnet.silent).toBe('LocalAPI status failed: ETIMEDOUT')
  answer = async () => '{"BackendState":"Running"}'
  await expect.poll(() => store.world.tailnet).not.toHaveProperty('silent')
  answer = refused('ECONNREFUSED')
  await expect.poll(() => store.world.tailnet).toHaveProperty('silent')
  store.update((world) => ({ ...world, daemon: { ...world.daemon, phase: 'down' } }))
  await expect.poll(() => store.world.tailnet).not.toHaveProperty('silent')
  expect(store.world.tailnet.self).toEqual(self)
  expect(log).toEqual([])
})

it.each<[string, () => Promise<string>, RegExp]>([
  ['drops the question', refused('ECONNRESET'), /^status: LocalAPI status failed: ECONNRESET$/],
  ['answers what cannot be read', async () => '{"BackendState":6}', /^status: tailscaled said what cannot be read/],
])('one that %s is not silent, and that is told once', async (_name, answer, said) => {
  let asked = 0
  const { store, log } = follow(async () => {
    asked += 1
    return answer()
  })
  await expect.poll(() => asked).toBeGreaterThan(5)
  expect(store.world.tailnet).not.toHaveProperty('silent')
  expect(log).toEqual([expect.stringMatching(said)])
})
