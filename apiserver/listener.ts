import { createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, createServer as createTls, type SecureContext, type Server as TlsServer } from 'node:tls'
import { describe } from '../lib/errors.ts'
import { greeting, greetingMs } from '../lib/greeting.ts'
import { portOf } from '../lib/http-server.ts'
import type { Origin } from '../lib/proxy-header.ts'
import { PerPeer } from './per-peer.ts'
import { Refused } from './refused.ts'
import { type Handlers, http1, http2, type ServeConnection } from './servers.ts'

/** Certificate and key, PEM. */
export type Pair = { readonly cert: string; readonly key: string }

/**
 * Accepts connections from tailscaled, which begin with a PROXY header, and serves HTTP/1.1 and HTTP/2 on them: within
 * TLS, or as it comes if tailscaled has ended that.
 */
export class Listener {
  readonly #server: Server
  /** It never listens itself. */
  readonly #tls: TlsServer | undefined
  readonly #http1: ServeConnection
  readonly #http2: ServeConnection
  readonly #refused: Handlers['refused']
  readonly #sockets = new Set<Socket>()
  /** Of connections within TLS, by their other ends on this machine: TLS has sockets of its own. */
  readonly #origins = new Map<string, Origin>()
  readonly #limit: PerPeer
  /** Whose certificates are to be shown; undefined: all of them. */
  #kept: readonly (string | undefined)[] | undefined
  /** By the Tailscale Services that have a certificate of their own. */
  readonly #shown = new Map<string | undefined, { readonly pair: Pair; readonly context: SecureContext }>()

  /** `peerLimit`: how many connections one peer may have. */
  constructor(handlers: Handlers, { tls, peerLimit }: { readonly tls: boolean; readonly peerLimit: number }) {
    this.#limit = new PerPeer(peerLimit)
    this.#http1 = http1(handlers)
    this.#http2 = http2(handlers)
    this.#refused = handlers.refused
    this.#tls = tls ? this.#createTls() : undefined
    this.#server = createServer({ noDelay: true, keepAlive: true }, (socket) => void this.#greet(socket))
  }

  /**
   * Gives the port, which is any free one for 0.
   * @throws Error of the system if it cannot listen there
   */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ host, port, backlog: 4096 }, () => {
        this.#server.off('error', reject)
        // A lack of files, for example: it goes on.
        this.#server.on('error', (error) =>
          this.#refused(undefined, new Refused(503, 'internal', 'a connection could not be accepted', error)),
        )
        resolve(portOf(this.#server))
      })
    })
  }

  /**
   * Shows this certificate from now on to clients that ask by the name of a Tailscale Service, or, without one, by any.
   * The first one that is shown is for all others, too.
   * @throws Error if it is none, or the key is another one's
   */
  show(pair: Pair, service?: string): void {
    this.#shown.set(service, { pair, context: createSecureContext({ ...pair, minVersion: 'TLSv1.2' }) })
    this.#withdraw()
  }

  /**
   * Shows no certificates of other Tailscale Services any more, as soon as there is one of these; undefined is the
   * node's own name.
   */
  keepOnly(services: readonly (string | undefined)[]): void {
    this.#kept = services
    this.#withdraw()
  }

  #withdraw(): void {
    const kept = this.#kept
    const others = [...this.#shown.keys()].filter((one) => kept?.includes(one) === false)
    if (others.length < this.#shown.size) for (const other of others) this.#shown.delete(other)
    const [first] = this.#shown.values()
    if (first !== undefined) this.#tls?.setSecureContext({ ...first.pair, minVersion: 'TLSv1.2' })
  }

  /** Whether clients can be served, which takes a certificate. */
  get isReady(): boolean {
    return this.#tls === undefined || this.#shown.size > 0
  }

  /** Open connections. */
  get connections(): number {
    return this.#sockets.size
  }

  /** Has connections end when their present requests have ended; new ones are still accepted. */
  drain(): void {
    this.#http1.drain()
    this.#http2.drain()
  }

  /** Ends all connections at once. */
  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Reads what comes before HTTP. Without it, nothing is answered. */
  async #greet(socket: Socket): Promise<void> {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
    let peer: Origin | undefined
    const known = (origin: Origin): void => {
      const { text } = origin.address
      peer = origin
      if (!this.#limit.take(text)) throw new Refused(429, 'limit', 'this device has too many connections')
      socket.on('close', () => this.#limit.give(text))
    }
    try {
      const { origin, begin } = await greeting(socket, { isProxied: true, least: this.#tls ? 0 : 3, known })
      if (this.#tls) this.#secure(this.#tls, socket, origin)
      else this.#serve(socket, begin.startsWith('PRI'), origin)
    } catch (error) {
      socket.destroy()
      if (error instanceof Refused) this.#refused(peer, error)
      else this.#refused(undefined, new Refused(400, 'malformed', `a connection was refused: ${describe(error)}`))
    }
  }

  #serve(socket: Socket, isHttp2: boolean, origin: Origin): void {
    const server = isHttp2 ? this.#http2 : this.#http1
    server.serve(socket, origin)
  }

  #secure(tls: TlsServer, socket: Socket, origin: Origin): void {
    // Nothing can be said before there is a certificate.
    if (this.#shown.size === 0) return void socket.destroy()
    const end = endOf(socket)
    // One that has broken may not have been closed here yet: what it has sent is not of this one's peer.
    if (this.#origins.has(end)) return void socket.destroy()
    this.#origins.set(end, origin)
    socket.on('close', () => this.#origins.delete(end))
    tls.emit('connection', socket)
  }

  #createTls(): TlsServer {
    const serviceOf = (name: string): string => `svc:${name.toLowerCase().split('.')[0]}`
    const tls = createTls({
      ALPNProtocols: ['h2', 'http/1.1'],
      handshakeTimeout: greetingMs,
      minVersion: 'TLSv1.2',
      SNICallback: (name, done) => done(null, this.#shown.get(serviceOf(name))?.context),
    })
    tls.on('secureConnection', (socket) => {
      const origin = this.#origins.get(endOf(socket))
      if (origin === undefined) socket.destroy()
      else this.#serve(socket, socket.alpnProtocol === 'h2', origin)
    })
    tls.on('tlsClientError', (_error, socket) => void socket.destroy())
    return tls
  }
}

const endOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`
