import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { Choose, Target } from './choose.ts'
import type { DropReason, RelayCounts } from './counts.ts'

export type UdpOptions = {
  /** The most sessions at once, of all ports together. The one that has been idle longest ends first. */
  readonly limit: number
  /** A session ends when it has been idle for this many milliseconds. */
  readonly idleMs: number
}

/** A client's datagrams to one port, and the answers. Its socket has a local port of its own, as NAT would give it. */
type Session = {
  readonly key: string
  readonly backend: Target
  readonly socket: Socket
  /** Datagrams that came before the socket was connected; undefined once it is. */
  early: Buffer[] | undefined
  lastUsed: number
}

/** Datagrams kept for each session while it is opened. */
const mostEarly = 16

/**
 * Passes datagrams on from ports of the loopback address to backends, and the answers back. tailscaled without a TUN
 * device delivers there what it receives for the node, of both families; each client has a source port of its own.
 */
export class UdpRelay {
  readonly #options: UdpOptions
  readonly #now: () => number
  readonly #listeners = new Map<number, Socket>()
  /** In the order of their last use. */
  readonly #sessions = new Map<string, Session>()
  readonly #dropped: Record<DropReason, number> = { 'no-backend': 0, busy: 0, refused: 0 }
  #evicted = 0
  readonly #passed = { begun: 0, toBytes: 0, fromBytes: 0 }

  constructor(options: UdpOptions, now: () => number) {
    this.#options = options
    this.#now = now
  }

  /**
   * Listens on a port of 127.0.0.1 until `close`. `choose` is called for each new session.
   * @throws Error of the system if the port is taken, or needs privilege.
   */
  async open(port: number, choose: Choose): Promise<void> {
    const listener = createSocket('udp4')
    listener.bind({ address: '127.0.0.1', port, exclusive: true })
    try {
      await once(listener, 'listening')
    } catch (error) {
      // It would keep its file.
      listener.close()
      throw error
    }
    listener.on('message', (datagram, from) => this.#pass(listener, port, datagram, from, choose))
    // Errors of sending back concern one client, which may be gone.
    listener.on('error', () => this.#drop('refused'))
    this.#listeners.set(port, listener)
  }

  /** The ports that are open. */
  get ports(): readonly number[] {
    return [...this.#listeners.keys()]
  }

  /** Closes a port, and ends its sessions. */
  close(port: number): void {
    this.#listeners.get(port)?.close()
    this.#listeners.delete(port)
    this.endWhere((_, key) => key.startsWith(`${port} `))
  }

  /** Ends the sessions for which this holds, such as those of a backend that is gone. */
  endWhere(ends: (backend: Target, key: string) => boolean): void {
    for (const session of this.#sessions.values()) if (ends(session.backend, session.key)) this.#end(session)
  }

  /** Ends idle sessions: to be called every now and then. */
  sweep(): void {
    const since = this.#now() - this.#options.idleMs
    for (const session of this.#sessions.values()) {
      if (session.lastUsed > since) return
      this.#end(session)
    }
  }

  counts(): RelayCounts['udp'] {
    return { sessions: this.#sessions.size, evicted: this.#evicted, dropped: { ...this.#dropped }, ...this.#passed }
  }

  #pass(listener: Socket, port: number, datagram: Buffer, from: RemoteInfo, choose: Choose): void {
    const key = `${port} ${from.address} ${from.port}`
    const session = this.#sessions.get(key) ?? this.#begin(key, listener, from, choose)
    if (session === undefined) return this.#drop('no-backend')
    this.#use(session)
    const { early, socket } = session
    if (early === undefined) this.#send(socket, datagram)
    else if (early.length < mostEarly) early.push(datagram)
    else this.#drop('busy')
  }

  #begin(key: string, listener: Socket, from: RemoteInfo, choose: Choose): Session | undefined {
    const [backend] = choose()
    if (backend === undefined) return undefined
    if (this.#sessions.size >= this.#options.limit) this.#evict()
    const socket = createSocket(backend.address.family === 4 ? 'udp4' : 'udp6')
    const session: Session = { key, backend, socket, early: [], lastUsed: 0 }
    this.#sessions.set(key, session)
    this.#passed.begun += 1
    socket.on('message', (answer) => {
      this.#use(session)
      this.#passed.fromBytes += answer.length
      listener.send(answer, from.port, from.address)
    })
    socket.on('error', () => {
      // No socket could be opened. Once it is connected, an error is what the backend's host said of a datagram.
      if (session.early !== undefined) this.#end(session)
      this.#drop('refused')
    })
    socket.on('connect', () => {
      const early = session.early ?? []
      session.early = undefined
      for (const datagram of early) this.#send(socket, datagram)
    })
    socket.connect(backend.port, backend.address.text)
    return session
  }

  #send(socket: Socket, datagram: Buffer): void {
    this.#passed.toBytes += datagram.length
    socket.send(datagram, (error) => error && this.#drop('refused'))
  }

  /** The Map keeps the order in which sessions were last used. */
  #use(session: Session): void {
    session.lastUsed = this.#now()
    if (!this.#sessions.delete(session.key)) return
    this.#sessions.set(session.key, session)
  }

  #evict(): void {
    const [oldest] = this.#sessions.values()
    if (oldest === undefined) return
    this.#evicted += 1
    this.#end(oldest)
  }

  #end(session: Session): void {
    if (!this.#sessions.delete(session.key)) return
    session.socket.close()
  }

  #drop(reason: DropReason): void {
    this.#dropped[reason] += 1
  }
}
