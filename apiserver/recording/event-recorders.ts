import { Agent, type IncomingMessage, request as httpRequest } from 'node:http'
import { callbackify } from 'node:util'
import type { Clock } from '../../lib/clock.ts'
import { describe } from '../../lib/errors.ts'
import type { Dial } from '../../localapi/dial.ts'
import { agree, connector } from './recorders.ts'
import { answerMs } from './taker.ts'

/** In milliseconds: for an event to be stored, and for an unused connection. */
const [storeMs, idleMs] = [10_000, 30_000]
/** For how long recorders that took nothing are not asked again where nothing must be recorded, in milliseconds. */
const restMs = 10_000
/** Connections to one recorder at once; further events wait for one. */
const mostConnections = 32
/** Of how many recorders is known whether they take events. */
const most = 1000

/** Sends events to recorders, over HTTP/1.1 through the tailnet. */
export class EventRecorders {
  readonly #agent: Agent
  readonly #clock: Clock
  /** Those that took the last event. */
  readonly #good = new Set<string>()
  /** Lists of recorders of which none took the last one. */
  readonly #resting = new Map<string, { readonly until: number; readonly why: string }>()

  constructor(dial: Dial, clock: Clock) {
    this.#clock = clock
    const connect = connector(dial)
    const opened = callbackify((address: string) => connect(address, AbortSignal.timeout(answerMs)))
    this.#agent = new Agent({ keepAlive: true, timeout: idleMs, maxSockets: mostConnections })
    this.#agent.createConnection = ({ host, port }, done) => {
      opened(`${host?.includes(':') ? `[${host}]` : host}:${port}`, (error, socket) => done?.(error, socket))
      return undefined
    }
  }

  /**
   * Resolves to the address of the recorder that has the event. Rejects if none takes it: at once for a while if the
   * last one was not taken either, unless it `mustBe`.
   */
  async send(addresses: readonly string[], event: string, mustBe: boolean, signal: AbortSignal): Promise<string> {
    const list = addresses.join()
    const resting = this.#resting.get(list)
    if (!mustBe && resting && this.#clock.now() < resting.until) throw new Error(resting.why)
    try {
      const address = await this.#send(addresses, event, signal)
      this.#resting.delete(list)
      return address
    } catch (error) {
      if (this.#resting.size >= most) this.#resting.clear()
      if (!signal.aborted) this.#resting.set(list, { until: this.#clock.now() + restMs, why: describe(error) })
      throw error
    }
  }

  async #send(addresses: readonly string[], event: string, signal: AbortSignal): Promise<string> {
    const known = addresses.find((address) => this.#good.has(address))
    if (known !== undefined) {
      try {
        await this.#ask(known, 'POST', event, signal)
        return known
      } catch {
        // It may be back, or another one may take it.
        this.#good.delete(known)
      }
    }
    const { address } = await agree(
      addresses,
      async (one, either) => {
        await this.#ask(one, 'HEAD', '', either)
        return { take: (during) => this.#ask(one, 'POST', event, during), close: () => {} }
      },
      signal,
    )
    if (this.#good.size >= most) this.#good.clear()
    this.#good.add(address)
    return address
  }

  /** Resolves when a recorder has answered with 200. */
  async #ask(address: string, method: 'HEAD' | 'POST', body: string, signal: AbortSignal): Promise<void> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(method === 'HEAD' ? answerMs : storeMs)])
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const { hostname, port } = new URL(`http://${address}`)
    const to = { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? '80' : port, path: '/v2/event' }
    const request = httpRequest({ ...to, agent: this.#agent, method, headers, signal: limited })
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request.on('response', resolve).on('error', reject)
      request.end(body)
    })
    // So that the connection can be used again.
    response.on('error', () => {}).resume()
    if (response.statusCode !== 200) throw new Error(`the recorder answers with status ${response.statusCode}`)
  }
}
