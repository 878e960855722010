import { createSocket, type Socket as Datagrams } from 'node:dgram'
import { connect, isIPv6, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Echo, ProbeSettings } from '../protocol.ts'
import { exchange } from './exchange.ts'
import type { Tally } from './tally.ts'

/** How much later than a following one a message may be answered, in milliseconds. */
const overtaking = 5000

/** One long-lived TCP connection or UDP socket, over which numbered messages are exchanged. */
export class Flow {
  readonly #settings: ProbeSettings
  readonly #tally: Tally
  readonly #awaited = new Map<number, number>()
  #tcp: Socket | undefined
  #udp: Datagrams | undefined
  #over = false
  /** The newest message that was answered. */
  #newest = -1
  /** Whether the last event was an ICMP error. There are fewer of these than of the packets they refuse. */
  #refused = false
  #localPort = 0
  #again: Promise<void> | undefined
  #rest = ''

  constructor(settings: ProbeSettings, tally: Tally) {
    this.#settings = settings
    this.#tally = tally
  }

  /** True once nothing can be sent any more. */
  get over(): boolean {
    return this.#over
  }

  /** Connects. A connection that fails is reported as a broken flow, and not thrown. */
  async open(): Promise<void> {
    const { protocol, to, port, patience } = this.#settings
    if (protocol === 'udp') {
      const socket = createSocket(isIPv6(to) ? 'udp6' : 'udp4')
      this.#udp = socket
      socket.on('message', (message) => this.#take(message.toString()))
      // An ICMP error concerns what was sent, and not the socket: it is counted and the flow goes on.
      socket.on('error', (error: NodeJS.ErrnoException) => this.#icmp(error.code ?? 'UNKNOWN'))
      await new Promise<void>((resolve) => {
        socket.connect(port, to, () => resolve())
      })
      return
    }
    const socket = connect({ host: to, port, noDelay: true })
    this.#tcp = socket
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n')
      this.#rest = lines.pop() ?? ''
      for (const line of lines) this.#take(line)
    })
    await new Promise<void>((resolve) => {
      const timer = setTimeout(
        () => socket.destroy(Object.assign(new Error('no connection'), { code: 'ETIMEDOUT' })),
        patience,
      )
      socket.on('connect', () => {
        clearTimeout(timer)
        this.#localPort = socket.localPort ?? 0
        resolve()
      })
      socket.on('error', (error: NodeJS.ErrnoException) => this.#break(error.code ?? 'UNKNOWN'))
      socket.on('end', () => this.#break('EOF'))
      socket.on('close', () => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  send(sequence: number, pad: string): void {
    if (this.#over) return
    this.#awaited.set(sequence, this.#tally.begin())
    const message = `${sequence} ${pad}`
    if (this.#tcp !== undefined) this.#tcp.write(`${message}\n`)
    this.#udp?.send(message, (error) => {
      if (error !== null) this.#icmp((error as NodeJS.ErrnoException).code ?? 'UNKNOWN')
    })
  }

  /** Waits for the outstanding answers, each no longer than its time limit, since lost ones never come. */
  async finish(): Promise<void> {
    this.#tally.end()
    const { patience } = this.#settings
    const due = () =>
      [...this.#awaited].some(([sequence, sent]) => {
        const limit = sequence > this.#newest && !this.#refused ? patience : Math.min(patience, overtaking)
        return performance.now() - sent < limit
      })
    while (!this.#over && due()) await delay(5)
    this.#over = true
    await this.#again
  }

  #take(text: string): void {
    const echo = JSON.parse(text) as Echo
    const sequence = Number.parseInt(echo.data, 10)
    const sent = this.#awaited.get(sequence)
    // A datagram may arrive twice; it counts once.
    if (sent === undefined) return
    this.#awaited.delete(sequence)
    this.#newest = Math.max(this.#newest, sequence)
    this.#refused = false
    this.#tally.answer(echo, sent)
  }

  #icmp(code: string): void {
    const [oldest] = this.#awaited.keys()
    if (oldest === undefined) return
    this.#refused = true
    this.#awaited.delete(oldest)
    this.#tally.fail(code)
  }

  #break(code: string): void {
    if (this.#over) return
    this.#over = true
    this.#tally.break(code)
    this.#tally.end()
    if (this.#settings.againAfter !== undefined) this.#again = this.#comeAgain(this.#settings.againAfter)
  }

  async #comeAgain(after: number): Promise<void> {
    await delay(after)
    const result = await exchange({ ...this.#settings, localPort: this.#localPort }, 'again').then(
      () => 'answered',
      (error: NodeJS.ErrnoException) => error.code ?? 'UNKNOWN',
    )
    this.#tally.again(result)
  }
}
