import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { keepLoggedIn, loginProblem } from '../../../agent/tailscaled/login.ts'
import type { OwnStore } from '../../../agent/world/store.ts'
import { timings } from '../../../agent/world/timings.ts'
import type { Tailnet } from '../../../agent/world/world.ts'
import type { BackendState } from '../../../localapi/notify.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { aContext } from '../a-context.ts'
import { aWorld } from '../a-world.ts'
import { type FakeChild, fakeSpawn } from './fake-spawn.ts'

let clock: VirtualClock
let store: OwnStore
let lines: string[]
let children: FakeChild[]
let end: AbortController
let outcome: unknown

const become = async (state: BackendState): Promise<void> => {
  store.update((world) => ({ ...world, tailnet: { ...world.tailnet, state } }))
  await clock.settle()
}
/** The commands that were run: `up` or `set`. */
const commands = (): string[] => children.map(({ args }) => args[1] ?? '')

type Life = {
  readonly env?: Record<string, string>
  readonly first?: boolean
  readonly authKey?: string
  readonly api?: object
}

/** Keeps the node logged in during one life of tailscaled, the first one unless `first` is false. */
async function keep({ env = {}, first = true, authKey, api = {} }: Life = {}): Promise<void> {
  const world = aWorld(
    { daemon: { phase: 'login', restarts: 0 }, tailnet: { watching: true, noSnat: false, health: new Map() } },
    { TS_AUTHKEY: authKey === undefined ? 'tskey-auth-env' : '', ...env },
  )
  const secret = { name: 'tailscale', ...(authKey !== undefined && { authKey }) }
  const made = aContext({ ...world, stateSecret: secret }, { clock, timings, api })
  ;({ store, lines } = made)
  const fake = fakeSpawn()
  children = fake.children
  const set: Parameters<typeof keepLoggedIn>[0]['set'] = (change) =>
    store.update((now) => ({ ...now, daemon: { ...now.daemon, ...change } }))
  outcome = undefined
  keepLoggedIn({ ...made.context, spawn: fake.spawn, set }, first, end.signal).then(
    () => (outcome = 'ended'),
    (error: unknown) => (outcome = error),
  )
  await clock.settle()
}

beforeEach(() => {
  clock = new VirtualClock()
  end = new AbortController()
})
afterEach(() => end.abort())

describe('the first start of tailscaled', () => {
  it('runs up in any state, once, and is running when tailscaled is', async () => {
    await keep({ env: { TS_STATE_DIR: '/state' } })
    expect(commands()).toEqual(['up'])
    children[0]?.exit()
    await become('Running')
    expect([commands(), store.world.daemon.phase]).toEqual([['up'], 'running'])
    await clock.advance(3_600_000)
    expect(commands()).toEqual(['up'])
  })

  it('with TS_AUTH_ONCE runs up only if asked to log in, and applies settings to a running node', async () => {
    const env = { TS_AUTH_ONCE: 'true', TS_STATE_DIR: '/state' }
    await keep({ env })
    expect(commands()).toEqual([])
    await become('Running')
    expect(commands()).toEqual(['set'])
    children[0]?.exit()
    await clock.advance(60_000)
    expect([commands(), store.world.daemon.phase]).toEqual([['set'], 'running'])
    end.abort()

    end = new AbortController()
    await keep({ env })
    await become('NeedsLogin')
    expect(commands()).toEqual(['up'])
  })

  it('logs in with the auth key of the state Secret when nothing else is set', async () => {
    await keep({ authKey: 'tskey-auth-secret' })
    expect(children[0]?.args).toContain('--authkey=tskey-auth-secret')
  })
})

describe('a restart of tailscaled', () => {
  it('runs nothing when the state was on disk and the node runs', async () => {
    await keep({ env: { TS_STATE_DIR: '/state' }, first: false })
    await become('Running')
    expect([commands(), store.world.daemon.phase]).toEqual([[], 'running'])
  })

  it('runs up when the state was in memory, and fails after three refusals: the key is used up', async () => {
    await keep({ first: false })
    for (let refusal = 1; refusal <= 3; refusal += 1) {
      expect([commands().length, outcome]).toEqual([refusal, undefined])
      children.at(-1)?.print('backend error: invalid key: API key does not exist')
      children.at(-1)?.exit({ code: 1 })
      await clock.advance(timings.retryCap)
    }
    expect(String(outcome)).toMatch(/lost its state, which was in memory, and cannot log in again/)
    expect(commands()).toHaveLength(3)
  })
})

it.each<BackendState>(['NeedsLogin', 'Stopped'])('a node in state %s logs in again, which is logged', async (state) => {
  await keep()
  children[0]?.exit()
  await become('Running')
  await become(state)
  expect([commands(), store.world.daemon.phase]).toEqual([['up', 'up'], 'login'])
  expect(lines).toEqual([`tailscaled’s state is ${state}: logging in again`])
})

it('a refused login is retried with growing pauses', async () => {
  await keep({ env: { TS_STATE_DIR: '/state' } })
  const at: number[] = []
  for (let time = 0; time < 6; time += 1) {
    at.push(clock.now())
    children.at(-1)?.exit({ code: 1 })
    await clock.next()
  }
  const pauses = at.slice(1).map((now, index) => now - (at[index] ?? 0))
  expect(pauses).toEqual(pauses.toSorted((one, other) => one - other))
  expect(store.world.daemon.problem).toMatch(/^tailscale up failed: tailscale ended with exit code 1/)
})

it('a value that can never work ends it at once', async () => {
  await keep({ env: { TS_STATE_DIR: '/state', TS_EXTRA_ARGS: '--no-such' } })
  children[0]?.print('flag provided but not defined: -no-such')
  children[0]?.exit({ code: 2 })
  await clock.settle()
  expect(outcome).toMatchObject({ code: 'settings', message: expect.stringMatching(/^TS_EXTRA_ARGS is not valid/) })
})

describe('a missing auth key file', () => {
  const env = { TS_STATE_DIR: '/state', TS_AUTHKEY: 'file:/run/key' }
  const gone = async (): Promise<void> => {
    await keep({ env })
    children.at(-1)?.print('open /run/key: no such file or directory')
    children.at(-1)?.exit({ code: 1 })
    await clock.settle()
  }

  it('ends it if the node has to log in', async () => {
    await gone()
    expect(outcome).toBeUndefined()
    await become('NeedsLogin')
    expect(outcome).toMatchObject({ code: 'settings', message: expect.stringMatching(/^TS_AUTHKEY names the file/) })
  })

  it('does not matter if the node is logged in', async () => {
    await gone()
    await become('Running')
    expect(children[1]?.args.join(' ')).not.toContain('authkey')
    children[1]?.exit()
    await clock.settle()
    expect([outcome, store.world.daemon.phase]).toEqual([undefined, 'running'])
    expect(lines.at(-1)).toMatch(/\/run\/key, which cannot be read.*logged in already/)
  })
})

describe('Tailscale Services that a person advertised', () => {
  /** LocalAPI of a node from which `up` removes them. */
  const prefs = () => {
    let services = ['svc:person']
    const patched: unknown[] = []
    return {
      patched,
      empty: () => (services = []),
      api: {
        get: async () => JSON.stringify({ AdvertiseServices: services }),
        patch: async (_path: string, change: object) => {
          patched.push(change)
          return '{}'
        },
      },
    }
  }

  it.each([
    ['are advertised again after the login', {}, 1, /^advertised again.*svc:person/],
    [
      'are only named where a serve config may have had them',
      { TS_SERVE_CONFIG: '/serve.json' },
      0,
      /^not advertised any more.*svc:person/,
    ],
  ])('%s', async (_what, more, patches, line) => {
    const { api, empty, patched } = prefs()
    await keep({ env: { TS_STATE_DIR: '/state', ...more }, api })
    empty()
    children[0]?.exit()
    await become('Running')
    expect(patched).toHaveLength(patches)
    expect(lines).toEqual([expect.stringMatching(line)])
  })
})

it('ends with tailscaled, and `up` with it', async () => {
  await keep()
  end.abort()
  await clock.settle()
  expect([outcome, children[0]?.signals]).toEqual(['ended', ['SIGTERM']])
})

it.each<[string, Partial<Tailnet>, string]>([
  ['a URL', { state: 'NeedsLogin', loginUrl: 'https://login.example/a' }, 'log in at https://login.example/a'],
  ['approval', { state: 'NeedsMachineAuth' }, 'the node waits for approval in the tailnet’s admin console'],
  ['nothing known', {}, 'tailscaled is login'],
  [
    'the daemon’s own health message',
    { state: 'NeedsLogin', health: new Map([['login-state', 'invalid key']]) },
    'tailscaled’s state is NeedsLogin; invalid key',
  ],
])('says what login waits for: %s', (_what, change, text) => {
  const world = aWorld({ daemon: { phase: 'login', restarts: 0 } })
  const { state: _state, ...tailnet } = world.tailnet
  expect(loginProblem({ ...world, tailnet: { ...tailnet, ...change } })).toBe(text)
})
