import { afterEach, expect, it } from 'vitest'
import { type Environment, readSettings } from '../../../agent/settings/read.ts'
import { followBus } from '../../../agent/tailscaled/bus.ts'
import { tailnetKeeper } from '../../../agent/tailscaled/tailnet.ts'
import { shortTimings, type Timings } from '../../../agent/world/timings.ts'
import { initialWorld, type Tailnet } from '../../../agent/world/world.ts'
import { entriesOf, valueAt } from '../../../lib/layered-map.ts'
import type { LocalApi } from '../../../localapi/client.ts'
import { noPeers } from '../../../localapi/peers.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { aContext } from '../a-context.ts'
import { observed } from './observed-store.ts'

type Watch = { readonly messages: readonly unknown[]; readonly ends: Promise<void> }

const never = new Promise<void>(() => {})
const atOnce = Promise.resolve()
const status = (state: string, address: string) => ({
  InitialStatus: { BackendState: state, Self: { ID: 'n', DNSName: 'p.', TailscaleIPs: [address] } },
})

const endings: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of endings.splice(0)) await end()
})

/** Follows a bus that is reopened repeatedly: `watches` gives each watch by its number, or refuses it. */
function follow(
  watch: (index: number) => Watch | undefined,
  timings: Partial<Timings> = {},
  { env = {}, answer = () => '{"BackendState":"Running"}' }: { env?: Environment; answer?: () => string } = {},
) {
  const states: Tailnet[] = []
  const clock = new VirtualClock()
  const opened: number[] = []
  const api: Pick<LocalApi, 'get' | 'stream'> = {
    get: async () => answer(),
    stream: async (path, signal) => {
      if (path === 'status') {
        return (async function* () {
          yield Buffer.from(answer())
        })()
      }
      const next = watch(opened.push(clock.now()) - 1)
      if (next === undefined) throw new Error('refused')
      const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
      return (async function* () {
        for (const message of next.messages)
          yield Buffer.from(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`)
        await Promise.race([next.ends, aborted])
        signal.throwIfAborted()
      })()
    },
  }
  const world = {
    ...initialWorld(readSettings(env).settings, [4, 6]),
    daemon: { phase: 'running', restarts: 0 } as const,
  }
  const { context, store, lines, stop } = aContext(world, { timings: { ...shortTimings, ...timings }, clock, api })
  const following = followBus(context, tailnetKeeper(observed(store, ({ tailnet }) => states.push(tailnet))))
  endings.push(async () => {
    stop.abort()
    await following
  })
  return { store, opened, lines, states, clock }
}

/** Lets time pass until the watch was opened this often. */
async function untilOpened(count: number, { opened, clock }: Pick<ReturnType<typeof follow>, 'opened' | 'clock'>) {
  await clock.settle()
  while (opened.length < count) await clock.next()
}

it('the watch is reopened when it ends, and its first message replaces the previous state', async () => {
  const first = Promise.withResolvers<void>()
  const second = Promise.withResolvers<void>()
  const watches: Watch[] = [
    {
      messages: [status('Running', '100.64.0.1'), 'not JSON', { Health: { Warnings: { w: { Text: 'W' } } } }],
      ends: first.promise,
    },
    {
      messages: [status('Starting', '100.64.0.2'), { ErrMessage: 'fell behind' }, { State: 6 }],
      ends: second.promise,
    },
  ]
  const { store, lines, clock, opened } = follow((index) => watches[index])
  await clock.settle()
  expect(store.world.tailnet.health.get('w')).toBe('W')
  expect(store.world.tailnet).toMatchObject({
    watching: true,
    state: 'Running',
    self: { addresses: [{ text: '100.64.0.1' }] },
  })
  first.resolve()
  await untilOpened(2, { opened, clock })
  expect(store.world.tailnet).toMatchObject({
    state: 'Running',
    health: new Map(),
    self: { addresses: [{ text: '100.64.0.2' }] },
  })
  second.resolve()
  await clock.settle()
  expect(store.world.tailnet.watching).toBe(false)
  // Meanwhile the addresses are kept, so that rules go on, but the state is unknown.
  expect(store.world.tailnet).toMatchObject({ self: { addresses: [{ text: '100.64.0.2' }] } })
  expect(store.world.tailnet).not.toHaveProperty('state')
  expect(lines.join('\n')).toMatch(/bus: tailscaled said what cannot be read[\s\S]*tailscaled: fell behind/)
})

it('a watch is renewed regularly, which silently corrects the effect of a lost message', async () => {
  const prefs = (NoSNAT: boolean) => ({ ...status('Running', '100.64.0.1'), Prefs: { NoSNAT } })
  const { store, states, clock } = follow((index) => ({ messages: [prefs(index > 0)], ends: never }), { reread: 100 })
  await clock.advance(99)
  expect(store.world.tailnet.noSnat).toBe(false)
  await clock.advance(1)
  expect(store.world.tailnet.noSnat).toBe(true)
  expect(states.length).toBeGreaterThan(1)
  for (const { watching, state } of states) expect({ watching, state }).toEqual({ watching: true, state: 'Running' })
})

it.each<[string, Watch | undefined, RegExp]>([
  ['cannot be opened', undefined, /^bus: refused; still trying$/],
  ['ends at once', { messages: [{ State: 6 }], ends: atOnce }, /^bus: the stream ended; still trying$/],
])('a watch that %s is retried with growing pauses, and reported once', async (_name, watch, logged) => {
  const { opened, lines, clock } = follow(() => watch)
  await untilOpened(7, { opened, clock })
  const [first = 0, second = 0] = opened
  expect(second - first).toBeLessThan(500)
  // 20, 40, 80, 160, 320 and 640 ms, each up to a fifth shorter.
  expect((opened.at(-1) ?? 0) - first).toBeGreaterThan(1000)
  await untilOpened(20, { opened, clock })
  expect(lines).toEqual([expect.stringMatching(logged)])
})

it('a watch that lasted is reopened at once, whatever failed before', async () => {
  const long = Promise.withResolvers<void>()
  const watch = (ends: Promise<void>): Watch => ({ messages: [{ State: 6 }], ends })
  const { opened, clock } = follow((index) => watch(index < 5 ? atOnce : index === 5 ? long.promise : never), {
    retryCap: 800,
  })
  await untilOpened(6, { opened, clock })
  await clock.advance(900)
  const ended = clock.now()
  long.resolve()
  await untilOpened(7, { opened, clock })
  expect((opened[6] ?? 0) - ended).toBeLessThanOrEqual(shortTimings.rewatch * 1.2)
})

it('a bus that sends only garbage does not fill the log', async () => {
  const { store, lines, clock } = follow(() => ({
    messages: [...Array.from({ length: 1000 }, String), { State: 6 }],
    ends: never,
  }))
  await clock.settle()
  expect(store.world.tailnet.state).toBe('Running')
  expect(lines).toHaveLength(10)
})

it('messages about endpoints and connectivity of peers make no new World', async () => {
  const peer = (id: number, more: object = {}) => ({
    ID: id,
    StableID: `n${id}`,
    Name: `p${id}.`,
    Addresses: [`100.80.0.${id}/32`],
    ...more,
  })
  const peers = Array.from({ length: 100 }, (_, id) => peer(id + 1))
  const Peer = Object.fromEntries(
    peers.map(({ ID, StableID, Name, Addresses }) => [
      `nodekey:${ID}`,
      { ID: StableID, NodeID: ID, DNSName: Name, TailscaleIPs: [Addresses[0]?.replace('/32', '')] },
    ]),
  )
  const churn = peers.map(({ ID }) => ({
    PeersChanged: [peer(ID, { Online: ID % 2 === 0, Endpoints: [`10.0.0.${ID}:1`] })],
  }))
  const last = Promise.withResolvers<void>()
  const messages = [{ State: 6 }, ...churn, { PeersChanged: peers }, { PeersRemoved: [1] }]
  const { store, states, clock } = follow(
    () => ({ messages, ends: last.promise }),
    {},
    {
      env: { TS_USERSPACE: 'false', TS_TAILNET_TARGET_FQDN: 'p2.' },
      answer: () => JSON.stringify({ BackendState: 'Running', Self: { ID: 'n', DNSName: 'p.' }, Peer }),
    },
  )
  await clock.settle()
  expect([...entriesOf(store.world.tailnet.peers ?? noPeers)]).toHaveLength(99)
  expect(new Set(states.map((tailnet) => tailnet.peers)).size).toBe(2)
  expect(new Set(states).size).toBe(2)
  // Rules go on while the bus is closed.
  last.resolve()
  await clock.settle()
  expect(store.world.tailnet.watching).toBe(false)
  expect(valueAt(store.world.tailnet.peers ?? noPeers, 'n2')?.addresses).toEqual([{ family: 4, text: '100.80.0.2' }])
})
