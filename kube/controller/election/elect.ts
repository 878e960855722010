import { uptime } from 'node:os'
import { type Clock, systemClock } from '../../../lib/clock.ts'
import { CulvertError, describe } from '../../../lib/errors.ts'
import type { Gate } from '../../../lib/gate.ts'
import type { Api } from '../api.ts'
import { isStale } from '../controller.ts'
import { keyOf, type KubeObject, type Name } from '../object.ts'
import { reflect, type Source } from '../reflect.ts'
import { store } from '../store.ts'
import { candidate, type ElectionTimes, isHolder, isLeader, saw, stepOf, wrote } from './candidate.ts'
import { identityIn, undivided } from './declared.ts'
import { held, leases, released, viewOf } from './lease.ts'

export type ElectionOptions = {
  /** Not through the gate of this election. */
  readonly api: Pick<Api, 'get' | 'patch' | 'page' | 'watch'>
  /** The Lease. */
  readonly name: Name
  /** Of this process and no other, not even of an earlier one of the same Pod. */
  readonly identity: string
  readonly times: ElectionTimes
  /** The field manager. */
  readonly manager: string
  /** What the Lease is to declare; it is then leader when that is settled. Undefined: the Lease declares nothing. */
  readonly plan?: string
  /** Whether it takes a Lease that has been free for `ms`; asked four times in each `retry`. Undefined: it does. */
  readonly mayTake?: (ms: number) => boolean
  /** Called with the reason why a Lease cannot be followed, read or written, when that changes, and with undefined once it can. */
  readonly problem: (what: 'following' | 'reading' | 'writing', text: string | undefined) => void
  /** One that goes on while the machine is suspended, as `bootClock`. */
  readonly clock?: Clock
  readonly random?: () => number
}

export type Election = {
  readonly gate: Gate
  /** Resolves when it is known whether somebody else is leader, or that this cannot be found out now. */
  readonly looked: Promise<void>
  /** Resolves when this process is leader. */
  readonly elected: Promise<void>
  /** Resolves with the reason when it is not any more, but for a release. Somebody else may be leader from now on. */
  readonly lost: Promise<string>
  readonly isLeader: () => boolean
  /**
   * Gives up, so that another can be leader at once: nothing may be under way any more. Without `handOver` the Lease is
   * left to expire. Never rejects.
   */
  readonly resign: (options: { readonly handOver: boolean }) => Promise<void>
  /** What follows the Lease. */
  readonly source: Source
}

/**
 * The clock of an election. The usual one stands still while the machine is suspended, so that a leader that wakes up
 * would think that it still is one. It is read from the kernel, in steps of 10 ms.
 */
export const bootClock: Clock = { ...systemClock, now: () => uptime() * 1000 }

/** The part of the margin that a request may take; the rest is for clocks that do not run equally fast. */
const limitPart = 0.8

/** Takes part in the election of a leader by a Lease, until `signal` aborts. Being leader ends once, and for good. */
export function elect(options: ElectionOptions, signal: AbortSignal): Election {
  const { api, name, times, manager, plan, mayTake, clock = bootClock, random = Math.random } = options
  const identity = identityIn(plan ?? undivided, options.identity)
  const looked = Promise.withResolvers<void>()
  const elected = Promise.withResolvers<void>()
  const lost = Promise.withResolvers<string>()
  /** Being leader has ended, or will not begin. */
  const ended = new AbortController()
  const resigning = new AbortController()
  let self = candidate(identity, times, plan)
  let problem: string | undefined
  /** Aborted when something was seen that may change what is to be done. */
  let news = new AbortController()
  let term = new AbortController()

  const tell = (text: string | undefined): void => {
    if (text !== problem) options.problem('writing', text)
    problem = text
  }
  const end = (reason: string): void => {
    if (ended.signal.aborted) return
    ended.abort(new CulvertError('leader', `not leader any more: ${reason}`))
    term.abort()
    news.abort()
  }
  const lose = (reason: string): void => {
    end(reason)
    lost.resolve(reason)
  }
  const leads = (): boolean => !ended.signal.aborted && isLeader(self, clock.now())

  /** From an answer to a request, not from the watch, which may be behind. */
  const look = async (limit: AbortSignal): Promise<void> => {
    const lease = await api.get(leases, name, limit)
    self = saw(self, lease && viewOf(lease), clock.now())
  }

  const write = async (): Promise<void> => {
    const limit = AbortSignal.any([signal, ended.signal, clock.timeout(Math.ceil(times.deadline / 2))])
    const version = self.seen?.view?.version
    const sent = clock.now()
    try {
      // One that does not exist is made by server-side apply, as the name counts for RBAC then. What two make at the
      // same time is a conflict, because each is a field manager of its own.
      const patch =
        version === undefined ? ({ type: 'apply', manager: identity } as const) : ({ type: 'merge', manager } as const)
      const lease = await api.patch(leases, name, { ...patch, body: held(self, name, clock.date(), sent) }, limit)
      self = wrote(self, viewOf(lease), sent, clock.now())
      tell(undefined)
      renewed()
      if (self.isSettled) elected.resolve()
    } catch (error) {
      if (isStale(error)) await look(limit)
      if (!isStale(error) || self.seen?.view?.version === version) throw error
    }
  }

  /** Being leader ends by itself. */
  const renewed = (): void => {
    term.abort()
    term = new AbortController()
    const running = AbortSignal.any([signal, term.signal])
    const check = (): void => {
      const left = (self.until ?? 0) - clock.now()
      if (left > 0) clock.after(Math.ceil(left), running, check)
      else act()
    }
    check()
  }

  /** Since when the Lease may be taken. */
  const free = (): number => self.seen?.free ?? Number.POSITIVE_INFINITY

  /** Does nothing but what takes no time; gives what else is to be done. */
  const act = () => {
    const step = stepOf(self, clock.now())
    if (step.type === 'lost') lose(step.reason)
    return step
  }

  const run = async (): Promise<void> => {
    for (;;) {
      const step = act()
      if (signal.aborted || resigning.signal.aborted || ended.signal.aborted) return
      news = new AbortController()
      const woken = AbortSignal.any([signal, resigning.signal, news.signal])
      const isLeft = step.type === 'write' && self.until === undefined && mayTake?.(clock.now() - free()) === false
      if (step.type === 'wait' || isLeft) {
        if (self.seen !== undefined) looked.resolve()
        await clock.sleep(step.type === 'wait' ? step.ms : times.retry / 4, woken)
        continue
      }
      try {
        await write()
      } catch (error) {
        looked.resolve()
        if (!ended.signal.aborted && !signal.aborted) tell(describe(error))
        await clock.sleep(
          times.retry * (0.8 + 0.4 * random()),
          AbortSignal.any([signal, resigning.signal, ended.signal]),
        )
      }
    }
  }

  const kept = store({ failed: (error) => tell(`bug in the election: ${String(error)}`), clock })
  const seen = (lease: KubeObject | undefined): void => {
    // What the watch shows of a leader's own writes is old.
    if (self.until !== undefined) return
    self = saw(self, lease && viewOf(lease), clock.now())
    news.abort()
  }
  kept.listen(({ after }) => seen(after))
  const source = reflect(
    api,
    {
      resource: leases,
      scope: {
        ...(name.namespace !== undefined && { namespace: name.namespace }),
        fields: `metadata.name=${name.name}`,
      },
      store: kept,
      problem: (text) => {
        looked.resolve()
        options.problem('following', text)
      },
      clock,
      random,
    },
    signal,
  )
  void source.synced.then(() => kept.get(keyOf(name)) ?? seen(undefined))
  const running = run()

  return {
    gate: {
      check: () => {
        if (ended.signal.aborted) throw ended.signal.reason
        if (!leads()) throw new CulvertError('leader', 'another process may be the leader')
      },
      signal: ended.signal,
      limitMs: Math.floor((times.lease - times.deadline) * limitPart),
    },
    looked: Promise.race([looked.promise, elected.promise]),
    elected: elected.promise,
    lost: lost.promise,
    isLeader: leads,
    source,
    resign: async ({ handOver }) => {
      resigning.abort()
      // What it has sent decides whether it is leader.
      await running
      const wasHolder = !ended.signal.aborted && isHolder(self, clock.now())
      end('it has resigned')
      if (!handOver || !wasHolder) return
      const limit = AbortSignal.any([signal, clock.timeout(Math.ceil(times.deadline / 2))])
      try {
        await look(limit)
        const view = self.seen?.view
        if (view?.holder !== identity) return
        await api.patch(
          leases,
          name,
          { type: 'merge', body: released(name, view.version, clock.date()), manager },
          limit,
        )
      } catch (error) {
        tell(`the Lease is left to expire: ${describe(error)}`)
      }
    },
  }
}
