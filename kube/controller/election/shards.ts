import { CulvertError } from '../../../lib/errors.ts'
import { together } from '../namespaces.ts'
import type { Name } from '../object.ts'
import { bootClock, elect, type Election, type ElectionOptions } from './elect.ts'
import { type Witness, witness } from './witness.ts'

/** Being leader of one shard, or wanting to be. */
export type Leadership = Pick<Election, 'gate' | 'elected' | 'lost' | 'isLeader' | 'resign'>

export type ShardsOptions = Omit<ElectionOptions, 'name' | 'mayTake'> & {
  /** The Leases, one for each shard. The first of them declares the plan. */
  readonly names: readonly [Name, ...Name[]]
  readonly plan: string
}

export type Shards = Pick<Election, 'looked' | 'source'> & {
  /** Gives up those shards that it has not become leader of. Never rejects. */
  readonly takeNoMore: () => Promise<void>
  /** Of each shard, in the order of the names. */
  readonly all: readonly [Leadership, ...Leadership[]]
}

/**
 * Takes part in the elections of leaders for all shards: each has one leader at most, and one process may lead several.
 * Whoever works on a shard has seen lately that the first Lease declares its plan, so that nobody works by another one.
 */
export function electShards({ names: [first, ...others], ...options }: ShardsOptions, signal: AbortSignal): Shards {
  if (others.length === 0) {
    const { looked, source, ...only } = elect({ ...options, name: first }, signal)
    return { all: [only], looked, source, takeNoMore: leaving([only]) }
  }
  const { times, clock = bootClock, plan: _plan, ...plain } = options
  const declared = witness({ ...options, name: first }, signal)
  const elections: Election[] = []
  const isModest = modesty(() => elections.filter(({ isLeader }) => isLeader()).length, { ...options, clock })
  const stand = (of: ElectionOptions): Election => {
    const election = elect(of, signal)
    elections.push(election)
    return election
  }
  const mayTake = (ms: number): boolean => {
    const agreed = declared.agrees()
    return agreed !== undefined && isModest(Math.min(ms, agreed))
  }
  const main = stand({ ...options, name: first, mayTake: isModest })
  const more = others.map((name) => stand({ ...plain, times, clock, name, mayTake }))
  const all = [main, ...more.map((election) => underPlan(election, declared))] as const
  return {
    all,
    takeNoMore: leaving(all),
    looked: main.looked,
    source: together(
      main.source.name,
      elections.map(({ source }) => source),
    ),
  }
}

/** Gives what resigns from all by which nothing has begun, so that what is held of them can be handed over at once. */
function leaving(all: readonly Leadership[]): () => Promise<void> {
  const others = new Set(all)
  for (const one of all) void one.elected.then(() => others.delete(one))
  return async () => {
    await Promise.all([...others].map(({ resign }) => resign({ handOver: true })))
  }
}

/**
 * Gives whether a process takes a Lease that has been free for `ms`: one after the other, and later if it leads already,
 * so that others that lead less come first.
 */
function modesty(
  led: () => number,
  { times: { retry }, clock }: { readonly times: ElectionOptions['times']; readonly clock: { now: () => number } },
): (ms: number) => boolean {
  let last = Number.NEGATIVE_INFINITY
  return (ms) => {
    const now = clock.now()
    if (now - last < retry || ms < 3 * retry * Math.min(led(), 2)) return false
    last = now
    return true
  }
}

/** An election whose winner works only by the plan that is declared elsewhere. */
function underPlan(election: Election, declared: Witness): Leadership {
  const elected = Promise.withResolvers<void>()
  const lost = Promise.withResolvers<string>()
  const ended = new AbortController()
  let isHeld = false
  let hasBegun = false
  const lapse = (reason: string): void => {
    ended.abort(new CulvertError('leader', `not leader any more: ${reason}`))
    lost.resolve(reason)
  }
  const look = (): void => {
    if (!isHeld || ended.signal.aborted) return
    const other = declared.other()
    if (other !== undefined) lapse(`others divide the work in another way (${other})`)
    else if (declared.agrees() !== undefined) {
      hasBegun = true
      elected.resolve()
    } else if (hasBegun) lapse('how the others divide the work could not be read')
  }
  declared.listen(look)
  const won = async (): Promise<void> => {
    await election.elected
    isHeld = true
    look()
  }
  void won()
  void election.lost.then(lost.resolve)
  const isLeader = (): boolean =>
    hasBegun && !ended.signal.aborted && declared.agrees() !== undefined && election.isLeader()
  return {
    gate: {
      check: () => {
        election.gate.check()
        if (ended.signal.aborted) throw ended.signal.reason
        if (!isLeader()) throw new CulvertError('leader', 'others may divide the work in another way')
      },
      signal: AbortSignal.any([election.gate.signal, ended.signal]),
      limitMs: election.gate.limitMs,
    },
    elected: elected.promise,
    lost: lost.promise,
    isLeader,
    resign: election.resign,
  }
}
