import { createServer, type Server } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { certificateFor } from '../kube/api-server.ts'

/** What came to the API server, as it was written. */
export type Forward = {
  readonly method: string
  readonly target: string
  readonly headers: readonly string[]
  readonly body: string
}

type Answer = (forward: Forward, response: ServerResponse, request: IncomingMessage) => void
type Change = (forward: Forward, socket: Duplex, head: Buffer) => void

let own: ReturnType<typeof certificateFor> | undefined

const reply: Answer = (_forward, response) => void response.end('{"kind":"Reply"}')

/** A server in place of the API server, which records all that is passed on to it. */
export class Upstream implements AsyncDisposable {
  readonly #server: Server
  readonly #connections = new Set<Duplex>()
  readonly port: number
  readonly ca: string
  /** All requests, from the moment when their heads came. */
  readonly forwards: Forward[] = []
  /** The targets of all, also of those that are forgotten. */
  readonly targets: string[] = []
  answer: Answer = reply
  /** What happens to a connection that is to change its protocol. */
  change: Change = (_forward, socket) => void socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')

  private constructor(server: Server, ca: string) {
    this.#server = server
    this.port = (server.address() as AddressInfo).port
    this.ca = ca
    server.on('secureConnection', (socket) => {
      this.#connections.add(socket)
      socket.on('close', () => this.#connections.delete(socket))
    })
    server.on('request', (request, response) => void this.#take(request, response))
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on('error', () => {})
      const forward = this.#record(request)
      this.change(forward, socket, head)
    })
  }

  static async start(): Promise<Upstream> {
    own ??= certificateFor('IP:127.0.0.1')
    const { key, cert } = await own
    // As much as the API server takes.
    const server = createServer({ key, cert, maxHeaderSize: 1024 * 1024 })
    server.maxHeadersCount = 0
    await new Promise<void>((resolve, reject) => server.on('error', reject).listen(0, '127.0.0.1', resolve))
    return new Upstream(server, cert)
  }

  /** Forgets what came so far. */
  reset(): void {
    this.forwards.length = 0
    this.answer = reply
  }

  #record({ method = '', url = '', rawHeaders }: IncomingMessage): {
    -readonly [Name in keyof Forward]: Forward[Name]
  } {
    const forward = { method, target: url, headers: rawHeaders, body: '' }
    this.forwards.push(forward)
    this.targets.push(url)
    return forward
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const forward = this.#record(request)
    try {
      forward.body = await text(request)
      this.answer(forward, response, request)
    } catch {
      // The request broke off.
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Also those whose protocol has changed.
    for (const connection of this.#connections) connection.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
