import { families } from '../../lib/address.ts'
import { describe } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { sleep } from '../../lib/timers.ts'
import type { LocalApi } from '../../localapi/client.ts'
import { ping } from '../../localapi/ping.ts'
import { attemptedPlan } from './reconciler.ts'
import type { Waits } from '../world/timings.ts'
import type { Store } from '../world/world.ts'

type Parts = { readonly store: Store; readonly api: LocalApi; readonly log: Log; readonly waits: Waits }

/** Addresses that are asked at a time. */
const atOnce = 100
/** Between two looks at what has answered, in ms. */
const restMs = 100
/** So many of those that have not answered are named. */
const named = 5

/**
 * Keeps in World.contacted the services of ProxyGroup egress whose targets have answered once, or were waited for long
 * enough, until `signal` aborts, and in World.contactedAt when that became so of all that was to be contacted at the
 * start. Before that nobody is to be sent here: the other nodes know a node that has just started as it was, so that
 * its first handshake is often lost, and the next one comes after five seconds, for which all that is sent hangs.
 */
export function contactTargets({ store, api, log, waits }: Parts, signal: AbortSignal): void {
  const asked = new Set<string>()
  const over = new Set<string>()
  const queue: { readonly address: string; readonly until: number }[] = []
  const silent: string[] = []
  let workers = 0
  let timer: NodeJS.Timeout | undefined
  let lookedAt = -restMs
  let seen: unknown

  /** Whether an address answers in time: first by the path that nodes find by themselves, which the handshake then takes. */
  const answers = async (address: string, until: number): Promise<boolean> => {
    for (const kind of ['disco', 'TSMP'] as const) {
      for (;;) {
        if (signal.aborted || performance.now() >= until) return false
        if (await ping(api, { address, kind }, signal, waits.contactPing)) break
        await sleep(waits.contactPing / 10, signal)
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
        if (!signal.aborted) log(`warning: whether ${address} answers cannot be told: ${describe(error)}`)
      }
      over.add(address)
      lookSoon()
    }
    workers -= 1
    if (workers > 0 || silent.length === 0 || signal.aborted) return
    const some = `${silent.slice(0, named).join(', ')}${silent.length > named ? ` and ${silent.length - named} others` : ''}`
    log(`warning: no answer within ${waits.contact / 1000} s, so that connections to these may hang: ${some}`)
    silent.length = 0
  }
  /** Each look may change what the Secret says of all services: a burst of answers is one change. */
  const lookSoon = (): void => {
    timer ??= setTimeout(look, Math.max(0, lookedAt + restMs - performance.now()))
  }
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
  const look = (): void => {
    clearTimeout(timer)
    timer = undefined
    lookedAt = performance.now()
    const { contacted: before = none } = store.world
    const plan = attemptedPlan(store.world)
    if (plan === undefined) return
    const contacted = new Set<string>()
    const ask = (address: string): void => {
      if (asked.has(address)) return
      asked.add(address)
      queue.push({ address, until: performance.now() + waits.contact })
    }
    for (const [name, { carried }] of plan.egress) {
      const missing = before.has(name) ? [] : carried.filter(({ text }) => !over.has(text))
      if (missing.length === 0 && (carried.length > 0 || before.has(name))) contacted.add(name)
      for (const { text } of missing) ask(text)
    }
    if (store.world.settings.tailnetTarget !== undefined) {
      families.flatMap((family) => plan.table.everything[family] ?? []).forEach(ask)
    }
    if (contacted.symmetricDifference(before).size > 0) store.update((world) => ({ ...world, contacted }))
    if (store.world.contactedAt === undefined && over.size === asked.size) {
      store.update((world) => ({ ...world, contactedAt: new Date() }))
    }
    for (; queue.length > 0 && workers < atOnce; workers += 1) void work()
  }
  store.watch(() => {
    const plan = attemptedPlan(store.world)
    if (plan === seen) return
    seen = plan
    look()
  }, signal)
}

const none: ReadonlySet<string> = new Set()
