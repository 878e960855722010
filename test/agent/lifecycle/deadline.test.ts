import { afterEach, beforeEach, expect, it } from 'vitest'
import { bootDeadline } from '../../../agent/lifecycle/deadline.ts'
import { timings } from '../../../agent/world/timings.ts'
import type { World } from '../../../agent/world/world.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { aContext } from '../a-context.ts'
import { aWorld } from '../a-world.ts'

let clock: VirtualClock
let booted: AbortController
beforeEach(() => {
  clock = new VirtualClock()
  booted = new AbortController()
})
afterEach(() => booted.abort())

function start(change: Partial<World> = {}) {
  const world = aWorld({ daemon: { phase: 'login', restarts: 0 }, ...change }, { TS_USERSPACE: 'true' })
  const { context, store, lines } = aContext(world, { clock, timings })
  const ended: { reason?: string } = {}
  bootDeadline(context, booted.signal).catch((error: unknown) => (ended.reason = String(error)))
  return { store, lines, ended }
}
const tailnet = { watching: true, noSnat: false, health: new Map<string, string>() }

it('logs every ten seconds what start-up waits for, and then fails with that', async () => {
  const { lines, ended } = start({ tailnet: { ...tailnet, state: 'Starting' } })
  await clock.advance(59_900)
  expect([lines.length, ended.reason]).toEqual([5, undefined])
  expect(new Set(lines)).toEqual(new Set(['not connected to the tailnet yet: tailscaled’s state is Starting']))
  await clock.advance(200)
  expect(ended.reason).toMatch(/within the boot deadline of 60 s: tailscaled’s state is Starting/)
})

it.each<[string, Partial<World>]>([
  ['a person must log in', { tailnet: { ...tailnet, state: 'NeedsLogin', loginUrl: 'https://login.example/a' } }],
  ['the node must be approved', { tailnet: { ...tailnet, state: 'NeedsMachineAuth' } }],
  ['a known node cannot reach the control server', { tailnet: { ...tailnet, state: 'Starting', hasNodeKey: true } }],
  ['another auth key is waited for', { reissue: { refusedKey: '', reason: 'spent' } }],
])('does not run while %s, and goes on afterwards', async (_what, change) => {
  const { store, ended } = start(change)
  await clock.advance(600_000)
  expect(ended.reason).toBeUndefined()
  store.update((world) => ({ ...world, reissue: undefined, tailnet: { ...tailnet, state: 'Starting' } }))
  await clock.advance(59_000)
  expect(ended.reason).toBeUndefined()
  await clock.advance(2000)
  expect(ended.reason).toMatch(/boot deadline/)
})

it('ends when start-up is complete', async () => {
  const { ended, lines } = start()
  await clock.advance(5000)
  booted.abort()
  await clock.advance(600_000)
  expect([ended.reason, lines, clock.pending]).toEqual([undefined, [], 0])
})
