import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Choose, Target } from './choose.ts'
import type { RelayCounts } from './counts.ts'

type Connection = { readonly backend: Target; readonly client: Socket; readonly toBackend: Socket }

/**
 * The address where tailscaled finds the relay. tailscaled without a TUN device leads whatever else the tailnet sends
 * to the node to the same port of 127.0.0.1: on that address, clients could reach the relay past the port that is
 * served, and send their own PROXY header.
 */
export const relayAddress = '127.0.0.2'

/** Passes TCP connections on to backends. Each port of the node has a port of the relay. */
export class TcpRelay {
  readonly #connectMs: number
  readonly #limit: number
  readonly #servers = new Map<number, Server>()
  readonly #connections = new Set<Connection>()
  #clients = 0
  #refused = 0
  #begun = 0
  /** Of connections that are over. */
  #over = { toBytes: 0, fromBytes: 0 }

  /**
   * `connectMs`: how long a backend may take to accept a connection until another one is tried. `limit`: the most
   * clients at once, so that files are left for everything else: each needs two.
   */
  constructor({ connectMs, limit = Infinity }: { readonly connectMs: number; readonly limit?: number }) {
    this.#connectMs = connectMs
    this.#limit = limit
  }

  /** Opens the relay's port for `key`, and returns it. `choose` is called for each connection. */
  async open(key: number, choose: Choose): Promise<number> {
    // The client's first bytes stay in the kernel until there is a backend. Each side may end its half on its own.
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true, keepAlive: true })
    server.on('connection', (client) => {
      // It may go while a backend is being connected.
      client.on('error', () => {})
      if (this.#clients >= this.#limit) return this.#refuse(client)
      this.#clients += 1
      client.on('close', () => (this.#clients -= 1))
      this.#pass(client, choose())
    })
    server.listen({ host: relayAddress, port: 0, backlog: 4096 })
    await once(server, 'listening')
    this.#servers.set(key, server)
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('the relay has no port')
    return address.port
  }

  /** Accepts no more connections for `key`; open ones go on. */
  close(key: number): void {
    this.#servers.get(key)?.close()
    this.#servers.delete(key)
  }

  /** Resets the connections to backends for which this holds. */
  endWhere(ends: (backend: Target) => boolean): void {
    for (const { backend, client, toBackend } of this.#connections) {
      if (!ends(backend)) continue
      client.resetAndDestroy()
      toBackend.resetAndDestroy()
    }
  }

  counts(): RelayCounts['tcp'] {
    let { toBytes, fromBytes } = this.#over
    for (const { client, toBackend } of this.#connections) {
      toBytes += client.bytesRead
      fromBytes += toBackend.bytesRead
    }
    const { size } = this.#connections
    return { connections: size, refused: this.#refused, begun: this.#begun, toBytes, fromBytes }
  }

  #pass(client: Socket, [backend, ...others]: readonly Target[]): void {
    if (client.destroyed) return
    if (backend === undefined) return this.#refuse(client)
    const toBackend = connect({
      host: backend.address.text,
      port: backend.port,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
    })
    toBackend.setTimeout(this.#connectMs, () => toBackend.destroy(new Error('no answer')))
    const tryOther = (): void => {
      client.off('close', giveUp)
      this.#pass(client, others)
    }
    const giveUp = (): void => void toBackend.destroy()
    toBackend.on('error', tryOther)
    client.on('close', giveUp)
    toBackend.on('connect', () => {
      toBackend.setTimeout(0)
      toBackend.off('error', tryOther)
      client.off('close', giveUp)
      this.#join({ backend, client, toBackend })
    })
  }

  #refuse(client: Socket): void {
    this.#refused += 1
    client.resetAndDestroy()
  }

  #join(connection: Connection): void {
    const { client, toBackend } = connection
    this.#connections.add(connection)
    this.#begun += 1
    let open = 2
    for (const [from, to] of [
      [client, toBackend],
      [toBackend, client],
    ] as const) {
      from.pipe(to)
      // A reset is passed on as one: an end would look like a whole answer.
      from.on('error', () => to.resetAndDestroy())
      from.on('close', () => {
        open -= 1
        if (open === 0) this.#leave(connection)
        else if (!from.readableEnded) to.resetAndDestroy()
      })
    }
  }

  #leave(connection: Connection): void {
    this.#connections.delete(connection)
    this.#over.toBytes += connection.client.bytesRead
    this.#over.fromBytes += connection.toBackend.bytesRead
  }
}
