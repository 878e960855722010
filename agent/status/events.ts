import { some } from '../../lib/some.ts'
import { forwardingKey } from '../forwarding/reconciler.ts'
import { waitsForPerson } from '../tailscaled/login.ts'
import type { Context } from '../world/context.ts'
import type { PodEvent, PodEvents } from '../world/pod-events.ts'
import { reportOf } from '../world/reports.ts'
import type { World } from '../world/world.ts'
import { checks } from './checks.ts'

/** What may be wrong for a while, with the reasons of the Events that tell its begin and its end. */
const kinds = {
  login: { begins: 'LoginNeeded', ends: 'LoggedIn', good: 'The node is logged in to the tailnet.' },
  target: { begins: 'TargetLost', ends: 'TargetFound', good: 'Every target can be reached again.' },
  firewall: { begins: 'FirewallFallback', ends: 'FirewallChosen', good: 'nftables is in use.' },
} as const
type Kind = keyof typeof kinds

/** The checks that tell whether targets can be reached. */
const ofTargets: ReadonlySet<string> = new Set([forwardingKey.name, 'dns', 'services'])

/** What is wrong now, for people; nothing of what is still being started. Pure. */
export function troubles(world: World): ReadonlyMap<Kind, string> {
  const { tailnet, firewall, lifecycle } = world
  const found = new Map<Kind, string>()
  if (waitsForPerson(tailnet)) {
    const what = tailnet.state === 'NeedsMachineAuth' ? 'The node must be approved' : 'A person must log in'
    found.set('login', `${what}: the log of the Pod and culvert status say where.`)
  }
  const [, refused] = /(nftables cannot be used: .*)/.exec(firewall?.reason ?? '') ?? []
  if (firewall?.name === 'iptables' && refused !== undefined) found.set('firewall', `iptables is used: ${refused}`)
  if (lifecycle.startedAt === undefined || lifecycle.stopping !== undefined) return found
  const lost = checks(world).flatMap(({ name, state, reason = '' }) =>
    ofTargets.has(name) && state !== 'ok' ? [reason] : [],
  )
  if (lost.length > 0) found.set('target', some(lost))
  return found
}

/** The same is not told again this soon, in milliseconds. */
const againMs = 600_000
/** Different Events in that time: more would tell nothing, and the API server bears the cost. */
const most = 25

type Parts = Pick<Context, 'store' | 'timings' | 'clock' | 'signal'>

/**
 * Tells changes of the agent's state as Events of its Pod, until `signal` aborts: what lasts longer than the pause
 * between two lines of progress, its end, and repairs.
 */
export function tellEvents({ store, timings, clock, signal }: Parts, events: PodEvents): void {
  const told = new Map<string, number>()
  const standing = new Map<Kind, string>()
  const awaited = new Map<Kind, AbortController>()
  let repairs = 0

  const tell = (event: PodEvent): void => {
    const now = clock.now()
    for (const [text, at] of told) if (now - at >= againMs) told.delete(text)
    const text = `${event.reason} ${event.message}`
    if (told.has(text) || told.size >= most) return
    told.set(text, now)
    events(event)
  }
  const begin = (kind: Kind): void => {
    awaited.delete(kind)
    const message = troubles(store.world).get(kind)
    if (message === undefined || standing.get(kind) === message) return
    standing.set(kind, message)
    tell({ type: 'Warning', reason: kinds[kind].begins, message })
  }
  const look = (): void => {
    const now = troubles(store.world)
    for (const kind of now.keys()) {
      if (now.get(kind) === standing.get(kind) || awaited.has(kind)) continue
      const wait = new AbortController()
      awaited.set(kind, wait)
      clock.after(timings.progress, AbortSignal.any([signal, wait.signal]), () => begin(kind))
    }
    for (const [kind, wait] of awaited) {
      if (now.has(kind)) continue
      wait.abort()
      awaited.delete(kind)
    }
    for (const kind of standing.keys()) {
      if (now.has(kind)) continue
      standing.delete(kind)
      tell({ type: 'Normal', reason: kinds[kind].ends, message: kinds[kind].good })
    }
    const repaired = reportOf(store.world, forwardingKey)?.repairs ?? 0
    if (repaired > repairs) {
      const message = 'Another program had changed the rules of the firewall; they were repaired.'
      tell({ type: 'Warning', reason: 'RulesRepaired', message })
    }
    repairs = repaired
  }
  store.watch(look, signal)
  look()
}
