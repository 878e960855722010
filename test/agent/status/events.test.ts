import { afterEach, beforeEach, expect, it } from 'vitest'
import { forwardingKey } from '../../../agent/forwarding/reconciler.ts'
import { tellEvents, troubles } from '../../../agent/status/events.ts'
import { createStore, type Store } from '../../../agent/world/store.ts'
import { shortTimings } from '../../../agent/world/timings.ts'
import type { World } from '../../../agent/world/world.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { aReport, aWorld } from '../a-world.ts'

const started = aWorld({ lifecycle: { startedAt: new Date(0) } })
const verified = started.reports[forwardingKey.name]?.desired
const reports = (change: Parameters<typeof aReport>[1]) => ({ [forwardingKey.name]: aReport(verified, change) })
const waits = { ...started.tailnet, state: 'NeedsLogin', loginUrl: 'https://login/x' } as const

const progress = 1000
let clock: VirtualClock
let stop: AbortController
let told: string[]

beforeEach(() => {
  clock = new VirtualClock()
  stop = new AbortController()
  told = []
})
afterEach(() => {
  stop.abort()
  expect(clock.pending).toBe(0)
})

/** Begins to tell; the fields of the World can be changed then. */
function tellOf(world: World): Store {
  const store = createStore(world, (problem) => told.push(problem))
  const parts = { store, timings: { ...shortTimings, progress }, clock, signal: stop.signal }
  tellEvents(parts, ({ type, reason, message }) => told.push(`${type} ${reason}: ${message}`))
  return store
}
const newEvents = (): string[] => told.splice(0)

it('tells that a login is needed once it lasts, without the URL, and when it is over', async () => {
  const store = tellOf(started)
  const write = store.writer('tailnet')
  write(() => waits)
  await clock.advance(progress / 2)
  write(() => started.tailnet)
  await clock.advance(progress * 2)
  expect(newEvents()).toEqual([])
  write(() => waits)
  await clock.advance(progress)
  expect(newEvents()).toEqual([
    'Warning LoginNeeded: A person must log in: the log of the Pod and culvert status say where.',
  ])
  write(() => started.tailnet)
  await clock.advance(0)
  expect(newEvents()).toEqual(['Normal LoggedIn: The node is logged in to the tailnet.'])
})

it('tells that targets are lost and found, with the last reason', async () => {
  const store = tellOf(started)
  const write = store.writer('reports')
  write(() => reports({ error: 'nft failed' }))
  await clock.advance(progress / 2)
  write(() => reports({ error: 'nft failed again' }))
  await clock.advance(progress)
  expect(newEvents()).toEqual(['Warning TargetLost: nft failed again'])
  write(() => reports({}))
  await clock.advance(0)
  expect(newEvents()).toEqual(['Normal TargetFound: Every target can be reached again.'])
})

it('tells repairs, and the same only once in ten minutes', async () => {
  const store = tellOf(started)
  const write = store.writer('reports')
  for (const repairs of [1, 2, 2, 5]) write(() => reports({ repairs }))
  await clock.advance(0)
  expect(newEvents()).toEqual([
    'Warning RulesRepaired: Another program had changed the rules of the firewall; they were repaired.',
  ])
  await clock.advance(600_000)
  write(() => reports({ repairs: 6 }))
  await clock.advance(0)
  expect(newEvents()).toHaveLength(1)
})

it('tells no more than twenty-five different Events in ten minutes', async () => {
  const store = tellOf(started)
  const write = store.writer('reports')
  for (let count = 0; count < 40; count += 1) {
    write(() => reports({ error: `failure ${count}` }))
    await clock.advance(progress)
  }
  expect(newEvents()).toHaveLength(25)
})

it('finds nothing wrong with targets before the start is complete, and while the agent stops', () => {
  const failing = (lifecycle: World['lifecycle']) => aWorld({ lifecycle, reports: reports({ error: 'nft failed' }) })
  expect(troubles(failing({})).size).toBe(0)
  expect(troubles(failing({ startedAt: new Date(0), stopping: 'received SIGTERM' })).size).toBe(0)
  expect([...troubles(failing({ startedAt: new Date(0) })).keys()]).toEqual(['target'])
})

it('tells why iptables is used, unless it was asked for', () => {
  const chosen = (reason: string) => troubles(aWorld({ firewall: { name: 'iptables', reason } })).get('firewall')
  expect(chosen('iptables-nft for IPv4; nftables cannot be used: no conntrack')).toBe(
    'iptables is used: nftables cannot be used: no conntrack',
  )
  expect(chosen('TS_DEBUG_FIREWALL_MODE is iptables; iptables-nft for IPv4')).toBeUndefined()
})
