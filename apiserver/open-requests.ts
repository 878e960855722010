import type { Clock } from '../lib/clock.ts'
import { limited } from '../lib/limit.ts'
import { type Caller, isStill } from './caller.ts'
import type { Callers } from './callers.ts'
import type { Origin } from '../lib/proxy-header.ts'
import { asRefused } from './refused.ts'

/** A request that has been passed on, and whose answer or connection is open. */
export type Open = {
  readonly kind: 'request' | 'watch' | 'session'
  readonly origin: Origin
  readonly caller: Caller
  /** Cuts it off; `why` is for the audit. */
  readonly end: (why: string) => void
  /** Ends it as a server does that has no more to say, if it is of a kind that goes on until then. */
  readonly finish: () => void
}

/** How many peers are asked about at once; and for how many milliseconds one may not be confirmed. */
const [atOnce, unconfirmedMs] = [8, 30_000]

/** All open requests. They end when their caller may not do any more what it could when they began. */
export class OpenRequests {
  readonly #all = new Set<Open>()
  readonly #clock: Clock
  /** When each address was last confirmed. */
  #confirmed = new Map<string, number>()
  #onEmpty: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Adds one that has been allowed just now; gives what removes it. */
  add(open: Open): () => void {
    this.#all.add(open)
    this.#confirmed.set(open.origin.address.text, this.#clock.now())
    return () => {
      this.#all.delete(open)
      if (this.#all.size === 0) this.#onEmpty?.()
    }
  }

  count(kind: Open['kind']): number {
    return [...this.#all].filter((open) => open.kind === kind).length
  }

  get size(): number {
    return this.#all.size
  }

  /** Resolves when none is open, at once if none is. */
  empty(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEmpty = resolve
      if (this.#all.size === 0) resolve()
    })
  }

  endAll(why: string): void {
    for (const open of this.#all) open.end(why)
  }

  finishAll(): void {
    for (const open of this.#all) open.finish()
  }

  /** Asks once more who all the callers are, and ends what they may not do any more. */
  async recheck(callers: Pick<Callers, 'at'>): Promise<void> {
    const byAddress = Map.groupBy(this.#all, ({ origin }) => origin.address.text)
    this.#confirmed = new Map([...this.#confirmed].filter(([address]) => byAddress.has(address)))
    const turn = limited(atOnce)
    await Promise.all([...byAddress.values()].map((its) => turn(() => this.#recheckOf(its, callers))))
  }

  /** `its`: those of one address. One that is added meanwhile has been allowed just now. */
  async #recheckOf(its: readonly Open[], callers: Pick<Callers, 'at'>): Promise<void> {
    const { address, port } = its.at(-1)!.origin
    const open = (): Open[] => its.filter((one) => this.#all.has(one))
    try {
      const now = await callers.at(address, port)
      this.#confirmed.set(address.text, this.#clock.now())
      for (const one of open()) if (!isStill(one.caller, now)) one.end('the policy grants this device less than before')
    } catch (error) {
      const { status, message } = asRefused(error)
      const since = this.#clock.now() - (this.#confirmed.get(address.text) ?? -Infinity)
      if (status === 403 || since >= unconfirmedMs) for (const one of open()) one.end(message)
    }
  }
}
