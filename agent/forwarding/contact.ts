import { families } from '../../lib/address.ts'
import { some } from '../../lib/some.ts'
import { ping } from '../../localapi/ping.ts'
import type { Context } from '../world/context.ts'
import { attemptedPlan } from './reconciler.ts'
import { events } from './log-events.ts'

/** Addresses that are contacted at the same time. */
const atOnce = 100
/** How often the result is published, in ms. */
const restMs = 100
/** How many silent addresses are named in the log. */
const named = 5

type Parts = Pick<Context, 'store' | 'api' | 'log' | 'timings' | 'clock' | 'signal'>

/**
 * Keeps World.contact, until `signal` aborts: the ProxyGroup egress services whose targets have answered once or were
 * given enough time, and when that was true of all initial targets. No client is sent here before: other nodes still
 * know this node by its state before the restart, so that its first handshake is often lost, and the next one comes
 * five seconds later, during which all traffic hangs.
 */
export function contactTargets({ store, api, log, timings, clock, signal }: Parts): void {
  const write = store.writer('contact')
  const asked = new Set<string>()
  const over = new Set<string>()
  const queue: { readonly address: string; readonly until: number }[] = []
  const silent: string[] = []
  let workers = 0
  let soon: AbortController | undefined
  let lookedAt = clock.now() - restMs
  let seen: unknown

  /**
   * Whether an address answers in time. First by the path that nodes discover themselves, which the handshake then
   * takes.
   */
  const answers = async (address: string, until: number): Promise<boolean> => {
    for (const kind of ['disco', 'TSMP'] as const) {
      for (;;) {
        if (signal.aborted || clock.now() >= until) return false
        if (await ping(api, { address, kind }, signal, timings.contactPing)) break
        await clock.sleep(timings.contactPing / 10, signal)
      }
    }
    return true
  }
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { address, until } = next
      try {
        if (!(await answers(address, until))) silent.push(address)
      } catch (error) {
        if (!signal.aborted) log(events.unasked({ address, problem: error }))
      }
      over.add(address)
      lookSoon()
    }
    workers -= 1
    if (workers > 0 || silent.length === 0 || signal.aborted) return
    const addresses = some(silent, { most: named, separator: ', ', rest: 'others' })
    log(events.silent({ seconds: timings.contact / 1000, addresses }))
    silent.length = 0
  }
  /** A change rewrites the status of all services in the Secret, so a burst of answers is batched. */
  const lookSoon = (): void => {
    if (soon !== undefined) return
    soon = new AbortController()
    clock.after(Math.max(0, lookedAt + restMs - clock.now()), AbortSignal.any([signal, soon.signal]), look)
  }
  const look = (): void => {
    soon?.abort()
    soon = undefined
    lookedAt = clock.now()
    const { services: before, since } = store.world.contact
    const plan = attemptedPlan(store.world)
    if (plan === undefined) return
    const services = new Set<string>()
    const ask = (address: string): void => {
      if (asked.has(address)) return
      asked.add(address)
      queue.push({ address, until: clock.now() + timings.contact })
    }
    for (const [name, { programmed }] of plan.egress) {
      const missing = before.has(name) ? [] : programmed.filter(({ text }) => !over.has(text))
      if (missing.length === 0 && (programmed.length > 0 || before.has(name))) services.add(name)
      for (const { text } of missing) ask(text)
    }
    if (store.world.settings.tailnetTarget !== undefined) {
      families.flatMap((family) => plan.table.catchAll[family] ?? []).forEach(ask)
    }
    if (services.symmetricDifference(before).size > 0) write((contact) => ({ ...contact, services }))
    if (since === undefined && over.size === asked.size) write((contact) => ({ ...contact, since: clock.date() }))
    for (; queue.length > 0 && workers < atOnce; workers += 1) void work()
  }
  store.watch(() => {
    const plan = attemptedPlan(store.world)
    if (plan === seen) return
    seen = plan
    look()
  }, signal)
}
