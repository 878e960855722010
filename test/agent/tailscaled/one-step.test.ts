import { afterEach, beforeEach, expect, it } from 'vitest'
import { followOneStep, refusedLogin } from '../../../agent/tailscaled/one-step.ts'
import { timings } from '../../../agent/world/timings.ts'
import type { BackendState } from '../../../localapi/notify.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { aContext } from '../a-context.ts'
import { aWorld } from '../a-world.ts'

let clock: VirtualClock
let end: AbortController
beforeEach(() => {
  clock = new VirtualClock()
  end = new AbortController()
})
afterEach(() => end.abort())

const start = (answer: () => Promise<string> = async () => '') => {
  const asked: [path: string, at: number][] = []
  const api = {
    post: (path: string) => {
      asked.push([path, clock.now()])
      return answer()
    },
  }
  const { context, store, lines } = aContext(aWorld(), { clock, timings, api })
  const set: Parameters<typeof followOneStep>[0]['set'] = (change) =>
    store.update((now) => ({ ...now, daemon: { ...now.daemon, ...change } }))
  void followOneStep({ ...context, set }, end.signal).catch(() => {})
  const become = async (state: BackendState): Promise<void> => {
    store.update((world) => ({ ...world, tailnet: { ...world.tailnet, state } }))
    await clock.settle()
  }
  return { asked, store, lines, become }
}

it('reports when tailscaled is running, as it logs in by itself', async () => {
  const { asked, store, become } = start()
  const phases = []
  for (const state of ['Starting', 'Running', 'NeedsLogin', 'Running'] as const) {
    await become(state)
    phases.push(store.world.daemon.phase)
  }
  expect(phases).toEqual(['login', 'running', 'login', 'running'])
  await clock.advance(600_000)
  expect(asked).toEqual([])
})

it('lets a stopped tailscaled reload its config with growing pauses, and logs that once', async () => {
  const { asked, lines, become } = start()
  await become('Stopped')
  await clock.advance(600_000)
  expect(new Set(asked.map(([path]) => path))).toEqual(new Set(['reload-config']))
  expect(asked.length).toBeGreaterThan(10)
  expect(asked.length).toBeLessThan(40)
  expect(lines).toHaveLength(1)
  const before = asked.length
  await become('Running')
  await clock.advance(600_000)
  expect(asked).toHaveLength(before)
})

it('keeps the reason of a failed reload', async () => {
  const { store, become } = start(() => Promise.reject(new Error('403: no such right')))
  await become('Stopped')
  expect(store.world.daemon.problem).toBe('403: no such right')
})

it.each<[string, BackendState | undefined, string | undefined, RegExp | undefined]>([
  ['not while it runs, whatever its health', 'Running', 'invalid key', undefined],
  ['a refused key', 'NeedsLogin', 'invalid key: expired', /^invalid key: expired$/],
  ['no key', 'NeedsLogin', undefined, /no auth key that it accepts/],
  ['not an unreachable control server', 'Starting', 'fetch control key: dial tcp 10.0.0.1:443: i/o timeout', undefined],
  [
    'not a control server with an unknown certificate',
    'Starting',
    'x509: certificate signed by unknown authority',
    undefined,
  ],
  ['a start', 'Starting', undefined, undefined],
])('a login that is refused permanently: %s', (_what, state, warning, expected) => {
  const { tailnet } = aWorld()
  const { state: _running, ...rest } = tailnet
  const health = new Map(warning === undefined ? [] : [['login-state', warning]])
  const reason = refusedLogin(aWorld({ tailnet: { ...rest, ...(state && { state }), health } }))
  if (expected === undefined) expect(reason).toBeUndefined()
  else expect(reason).toMatch(expected)
})
