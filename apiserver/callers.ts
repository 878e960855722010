import { type Address, withPort } from '../lib/address.ts'
import type { Clock } from '../lib/clock.ts'
import type { LocalApi } from '../localapi/client.ts'
import { LocalApiError } from '../localapi/error.ts'
import { type Caller, readCaller } from './caller.ts'
import { Refused } from './refused.ts'

/**
 * How long an answer counts, in milliseconds, if nothing is heard of a change; and how long tailscaled may take. Open
 * requests are looked at every five seconds, so that nobody goes on for ten after a change.
 */
const [keptMs, limitMs] = [4000, 5000]

/** The most answers that are kept. */
const most = 10_000

type Known = { readonly asked: number; readonly caller: Promise<Caller> }

/** Who has an address of the tailnet, as tailscaled says. Nothing else is believed. */
export class Callers {
  readonly #api: Pick<LocalApi, 'get'>
  readonly #clock: Clock
  readonly #signal: AbortSignal
  readonly #counted: (result: 'found' | 'refused' | 'failed') => void
  readonly #known = new Map<string, Known>()

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
  }

  /**
   * Who has the address, and the port of this connection.
   * @throws Refused 403 if nobody may be that; 503 if it cannot be found out
   */
  async at(address: Address, port: number): Promise<Caller> {
    const known = this.#known.get(address.text)
    if (known !== undefined && this.#clock.now() - known.asked < keptMs) return known.caller
    // Only the latest answers are needed again.
    if (this.#known.size >= most) this.#known.clear()
    const caller = this.#ask(address, port)
    const asked = { asked: this.#clock.now(), caller }
    this.#known.set(address.text, asked)
    try {
      return await caller
    } catch (error) {
      // The next request asks again.
      if (this.#known.get(address.text) === asked) this.#known.delete(address.text)
      throw error
    }
  }

  /** What was known counts no more: the tailnet has changed. */
  forget(): void {
    this.#known.clear()
  }

  async #ask(address: Address, port: number): Promise<Caller> {
    const query = new URLSearchParams({ addr: withPort(address, port), proto: 'tcp' })
    try {
      const text = await this.#api.get(`whois?${query.toString()}`, this.#signal, limitMs)
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
