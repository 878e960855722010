import { describe } from '../../lib/errors.ts'
import type { Backend } from '../../netfilter/backend.ts'
import { standingPlan } from '../forwarding/reconciler.ts'
import type { Context } from '../world/context.ts'
import { logProblems } from '../world/log-problems.ts'
import type { World } from '../world/world.ts'
import { type Accounts, isStale, noAccounts, withReading } from './accounts.ts'
import { events } from './log-events.ts'
import { countedModes, ownersOf } from './owners.ts'

/** What was counted of the traffic through the rules. */
export type TrafficFigures = {
  /** When counting began; undefined if it has not. */
  readonly since: Date | undefined
  /** Why the accounts are old, or there are none. */
  readonly problem: string | undefined
  readonly accounts: Accounts
}

/**
 * How long a reader waits for the present figures, in ms, and gets the last ones then: less than a command waits for the
 * agent. nft takes a second to list what 20,000 services have had.
 */
const patienceMs = 3000

/**
 * Has the kernel count, once start-up is complete and the rules are in place, and gives a function that reads the
 * counters: nothing is read unless somebody asks. It never rejects; undefined where rules forward nothing.
 */
export function trafficReader(
  context: Pick<Context, 'store' | 'log' | 'clock' | 'signal'>,
  backend: Pick<Backend, 'name' | 'traffic'> | undefined,
): () => Promise<TrafficFigures | undefined> {
  const { store, log, clock, signal } = context
  const modes = countedModes(store.world.settings)
  if (backend === undefined || modes === undefined) return async () => undefined
  const { name, traffic } = backend
  if (traffic === undefined) {
    const problem = `only nftables can, and the firewall is ${name}`
    return async () => ({ since: undefined, problem, accounts: noAccounts })
  }

  let accounts = noAccounts
  let since: Date | undefined
  let problem: string | undefined
  const problems = logProblems('the counters of traffic', events.uncounted, context)
  const begin = async (): Promise<void> => {
    await traffic.begin(modes)
    since ??= clock.date()
    accounts = { ...accounts, read: new Map() }
  }
  const look = async (): Promise<void> => {
    if (signal.aborted || standingPlan(store.world) === undefined) return
    try {
      const owners = ownersOf(store.world)
      const reading = since === undefined ? undefined : await traffic.read()
      if (reading === undefined && since !== undefined) log(events.begunAgain())
      if (reading !== undefined) accounts = withReading(accounts, reading, owners)
      if (reading === undefined || isStale(reading, owners)) await begin()
      problem = undefined
    } catch (error) {
      problem = describe(error)
    }
    problems(problem === undefined ? [] : [problem])
  }
  let looking: Promise<void> | undefined
  const read = async (): Promise<TrafficFigures> => {
    // Simultaneous readers share one run of nft.
    looking ??= look().finally(() => (looking = undefined))
    const over = new AbortController()
    await Promise.race([looking, clock.sleep(patienceMs, over.signal)])
    over.abort()
    return { since, problem, accounts }
  }
  // Not before: the start is not to wait for it.
  const isStarted = (world: World): boolean => world.lifecycle.startedAt !== undefined
  store.until((world) => isStarted(world) && standingPlan(world) !== undefined, signal).then(read, () => {})
  return read
}
