import { backoff } from '../../lib/backoff.ts'
import { describe } from '../../lib/errors.ts'
import { type AskDns, askDns } from '../../lib/resolver.ts'
import { some } from '../../lib/some.ts'
import type { Context } from '../world/context.ts'
import { logProblems } from '../world/log-problems.ts'
import { type Destination, unresolved } from '../world/destination.ts'
import { inTailnetRange, overlapText } from './cluster-overlap.ts'
import { afterLookup, lifetimeMs } from './destination.ts'
import { inHosts, readHosts } from './hosts.ts'
import { type Lookup, lookUp } from './look-up.ts'
import { destinationProblems } from './view.ts'
import { fullNames, podResolvConf, type ResolvConf } from './resolv-conf.ts'
import { events } from './log-events.ts'

/** glibc uses no more, either. */
const mostServers = 3
/** The resolver if resolv.conf names none. */
const local = '127.0.0.1'

/** File and network access, replaced in tests. */
type Outside = {
  readonly ask: AskDns
  readonly readConf: typeof podResolvConf
  readonly readHosts: typeof readHosts
}

type Parts = Pick<Context, 'store' | 'log' | 'timings' | 'clock' | 'signal' | 'background'>

/**
 * Keeps World.destination, the addresses of the name of L3 ingress, up to date until `signal` aborts. Resolves once the
 * Pod's resolv.conf has been read, which must be before tailscaled can replace it.
 */
export async function followName(
  context: Parts,
  name: string,
  { ask, readConf, readHosts: hostsOf }: Outside = { ask: askDns, readConf: podResolvConf, readHosts },
): Promise<void> {
  const { store, timings, clock, signal, background } = context
  const { root } = store.world.settings
  const write = store.writer('destination')
  const problems = logProblems(`the name ${name}`, events.problem, context)
  const pause = backoff(timings.retryFirst, timings.retryCap)
  let conf: ResolvConf | undefined

  const look = async (): Promise<Lookup> => {
    const found = inHosts(await hostsOf(root), name)
    if (found !== undefined) return found
    try {
      conf = await readConf(root, conf)
    } catch (error) {
      if (conf === undefined) return { failed: `/etc/resolv.conf cannot be read: ${describe(error)}` }
    }
    const servers = conf.servers.slice(0, mostServers).map(({ text }) => text)
    const last = store.world.destination?.resolved?.as
    const question = { names: fullNames(name, conf), servers: servers.length > 0 ? servers : [local], last }
    return lookUp(question, ask, signal)
  }
  const round = async (): Promise<void> => {
    const lookup = await look()
    if (signal.aborted) return
    const moment = { now: clock.now(), date: clock.date(), leaveMs: timings.backendLeave }
    const next = afterLookup(store.world.destination ?? unresolved, lookup, moment)
    if (next.problem === undefined) pause.reset()
    const ms = next.problem === undefined && !('failed' in lookup) ? lifetimeMs(lookup) : pause.next()
    write(() => ({ ...next, nextAt: new Date(moment.date.getTime() + ms) }))
    problems([...destinationProblems(next), ...overlaps(next)])
    await clock.sleep(ms, signal)
  }

  conf = await readConf(root, undefined).catch(() => undefined)
  background(`resolving ${name}`, async () => {
    while (!signal.aborted) await round()
  })
}

/** A warning of addresses that work only without tailscaled's filter. */
function overlaps({ addresses, resolved }: Destination): string[] {
  const inside = addresses.filter(inTailnetRange).map(({ text }) => text)
  return inside.length === 0
    ? []
    : [overlapText(`${resolved?.as} (${some(inside, { separator: ', ', rest: 'others' })})`)]
}
