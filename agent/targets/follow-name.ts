import { backoff } from '../../lib/backoff.ts'
import { describe } from '../../lib/errors.ts'
import { type AskDns, askDns } from '../../lib/resolver.ts'
import type { Context } from '../world/context.ts'
import { logProblems } from '../world/log-problems.ts'
import { unresolved } from '../world/world.ts'
import { afterLookup, lifetimeMs } from './destination.ts'
import { type Lookup, lookUp } from './look-up.ts'
import { destinationProblems } from './view.ts'
import { fullNames, podResolvConf, type ResolvConf } from './resolv-conf.ts'

/** As many as glibc asks. */
const mostServers = 3
/** Where a resolver is that no resolv.conf names. */
const local = '127.0.0.1'

/** What is read and asked, for tests. */
type Outside = { readonly ask: AskDns; readonly readConf: typeof podResolvConf }

type Parts = Pick<Context, 'store' | 'log' | 'timings' | 'clock' | 'signal' | 'background'>

/**
 * Keeps World.destination, until `signal` aborts: the addresses of the name of L3 ingress. Resolves once the Pod's
 * resolv.conf was read, which must be before tailscaled may replace it.
 */
export async function followName(
  context: Parts,
  name: string,
  { ask, readConf }: Outside = { ask: askDns, readConf: podResolvConf },
): Promise<void> {
  const { store, timings, clock, signal, background } = context
  const { root } = store.world.settings
  const write = store.writer('destination')
  const problems = logProblems(`the name ${name}`, context)
  const pause = backoff(timings.retryFirst, timings.retryCap)
  let conf: ResolvConf | undefined

  const look = async (): Promise<Lookup> => {
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
    problems(destinationProblems(next))
    await clock.sleep(ms, signal)
  }

  conf = await readConf(root, undefined).catch(() => undefined)
  background(`resolving ${name}`, async () => {
    while (!signal.aborted) await round()
  })
}
