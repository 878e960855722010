import type { Address } from '../lib/address.ts'
import type { Clock } from '../lib/clock.ts'
import { kept } from '../lib/kept.ts'
import type { Origin } from '../lib/proxy-header.ts'
import type { LocalApi } from '../localapi/client.ts'
import { LocalApiError } from '../localapi/error.ts'
import { askWhois } from '../localapi/whois.ts'
import { type Caller, readCaller } from './caller.ts'
import { Refused } from './refused.ts'

/**
 * How long an answer counts, in milliseconds, if nothing is heard of a change. Open requests are looked at every five
 * seconds, so that nobody goes on for ten after a change.
 */
const keptMs = 4000

/** The most answers that are kept. */
const most = 10_000

/** Who has an address of the tailnet, as tailscaled says. Nothing else is believed. */
export class Callers {
  readonly #api: Pick<LocalApi, 'get'>
  readonly #clock: Clock
  readonly #signal: AbortSignal
  readonly #counted: (result: 'found' | 'refused' | 'failed') => void
  readonly #known: ReturnType<typeof kept<Caller>>
  /** The node that a connection is of. */
  readonly #nodes = new WeakMap<Origin, string>()

  constructor(
    api: Pick<LocalApi, 'get'>,
    clock: Clock,
    signal: AbortSignal,
    counted: (result: 'found' | 'refused' | 'failed') => void = () => {},
  ) {
    this.#api = api
    this.#clock = clock
    this.#signal = signal
    this.#counted = counted
    this.#known = kept(clock, keptMs, most)
  }

  /**
   * Who has the address, and the port of this connection.
   * @throws Refused 403 if nobody may be that; 503 if it cannot be found out
   */
  at(address: Address, port: number): Promise<Caller> {
    return this.#known.get(address.text, () => this.#ask(address, port))
  }

  /**
   * Who is at the other end of a connection, which stays one node: if another one has its address later, what still
   * comes is not that one's.
   * @throws Refused as `at`
   */
  async of(origin: Origin): Promise<Caller> {
    const caller = await this.at(origin.address, origin.port)
    const node = this.#nodes.get(origin) ?? caller.nodeId
    this.#nodes.set(origin, node)
    if (caller.nodeId !== node)
      throw new Refused(403, 'unknown-peer', 'the address of this connection is that of another device now')
    return caller
  }

  /** What was known counts no more: the tailnet has changed. */
  forget(): void {
    this.#known.forget()
  }

  async #ask(address: Address, port: number): Promise<Caller> {
    try {
      const text = await askWhois(this.#api, { address, port }, this.#signal)
      const caller = readCaller(text, address, this.#clock.date())
      this.#counted('found')
      return caller
    } catch (error) {
      const refused = refusalOf(error)
      this.#counted(refused.status === 403 ? 'refused' : 'failed')
      throw refused
    }
  }
}

function refusalOf(error: unknown): Refused {
  if (error instanceof Refused) return error
  if (error instanceof LocalApiError && error.refusal?.status === 404)
    return new Refused(403, 'unknown-peer', 'this device is not in the tailnet')
  return new Refused(503, 'unconfirmed-peer', 'who this device is cannot be found out', error)
}
