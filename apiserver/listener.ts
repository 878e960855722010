import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTls, type Server as TlsServer } from 'node:tls'
import { parseAddress } from '../lib/address.ts'
import { portOf } from '../lib/http-server.ts'
import { isLoopback, type Origin, parseProxyHeader } from '../lib/proxy-header.ts'
import { PerPeer } from './per-peer.ts'
import { Refused } from './refused.ts'
import { type Handlers, http1, http2, type ServeConnection } from './servers.ts'

/** Milliseconds for the PROXY header, and for the TLS handshake. */
const greetingMs = 10_000

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
  #hasCertificate = false

  /** `peerLimit`: how many connections one peer may have. */
  constructor(handlers: Handlers, { tls, peerLimit }: { readonly tls: boolean; readonly peerLimit: number }) {
    this.#limit = new PerPeer(peerLimit)
    this.#http1 = http1(handlers)
    this.#http2 = http2(handlers)
    this.#refused = handlers.refused
    this.#tls = tls ? this.#createTls() : undefined
    this.#server = createServer({ noDelay: true, keepAlive: true }, (socket) => this.#greet(socket))
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
   * Shows this certificate from now on, by whatever name a client asks.
   * @throws Error if it is none, or the key is another one's
   */
  show({ cert, key }: Pair): void {
    this.#tls?.setSecureContext({ cert, key, minVersion: 'TLSv1.2' })
    this.#hasCertificate = true
  }

  /** Whether clients can be served, which takes a certificate. */
  get isReady(): boolean {
    return this.#tls === undefined || this.#hasCertificate
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
  #greet(socket: Socket): void {
    this.#sockets.add(socket)
    let timer: NodeJS.Timeout | undefined
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      this.#sockets.delete(socket)
    })
    const refuse = (why: string): void => {
      socket.destroy()
      this.#refused(undefined, new Refused(400, 'malformed', `a connection was refused: ${why}`))
    }
    const from = parseAddress(socket.remoteAddress ?? '')
    if (from === undefined || !isLoopback(from)) return refuse('it does not come from this machine')
    timer = setTimeout(() => refuse('it has not begun in time'), greetingMs)
    let bytes = Buffer.alloc(0)
    let isCounted = false
    const read = (): void => {
      const chunk: unknown = socket.read()
      if (Buffer.isBuffer(chunk)) bytes = Buffer.concat([bytes, chunk])
      const parsed = parseProxyHeader(bytes)
      if (parsed.kind === 'more') return
      if (parsed.kind === 'bad') return refuse(parsed.why)
      const peer = parsed.origin.address.text
      if (!isCounted && !this.#limit.take(peer)) {
        socket.off('readable', read)
        socket.destroy()
        return this.#refused(parsed.origin, new Refused(429, 'limit', 'this device has too many connections'))
      }
      if (!isCounted) socket.on('close', () => this.#limit.give(peer))
      isCounted = true
      const rest = bytes.subarray(parsed.length)
      // HTTP/2 begins with `PRI`.
      if (!this.#tls && rest.length < 3) return
      clearTimeout(timer)
      socket.off('readable', read)
      if (rest.length > 0) socket.unshift(rest)
      if (this.#tls) this.#secure(this.#tls, socket, parsed.origin)
      else this.#serve(socket, rest.toString('latin1', 0, 3) === 'PRI', parsed.origin)
    }
    socket.on('readable', read)
  }

  #serve(socket: Socket, isHttp2: boolean, origin: Origin): void {
    const server = isHttp2 ? this.#http2 : this.#http1
    server.serve(socket, origin)
  }

  #secure(tls: TlsServer, socket: Socket, origin: Origin): void {
    // Nothing can be said before there is a certificate.
    if (!this.#hasCertificate) return void socket.destroy()
    const end = endOf(socket)
    this.#origins.set(end, origin)
    socket.on('close', () => this.#origins.delete(end))
    tls.emit('connection', socket)
  }

  #createTls(): TlsServer {
    const tls = createTls({ ALPNProtocols: ['h2', 'http/1.1'], handshakeTimeout: greetingMs, minVersion: 'TLSv1.2' })
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
