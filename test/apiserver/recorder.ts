import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttp2, type ServerHttp2Stream } from 'node:http2'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Duplex } from 'node:stream'
import { poll } from '../lab/poll.ts'

/** A recording that has come. */
export type Recorded = { readonly stream: Duplex; text: string; isWhole: boolean }

/** What is asked of a recorder. */
type Asked = `${'HEAD' | 'POST'} ${'/v2/record' | '/v2/event' | '/record'}`

/** A recorder that keeps what it gets, and has the faults that a test wants. */
export class Recorder implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly recordings: Recorded[] = []
  readonly events: Readonly<Record<string, unknown>>[] = []
  /** What was asked for, in order. */
  readonly asked: string[] = []
  /** What it answers; undefined: never. Version 1 alone is not there if nothing is said of it. */
  statuses: Partial<Record<Asked, number | undefined>> = {}
  /** Whether what comes is read. */
  isReading = true

  private constructor(server: Server, versions: 1 | 2) {
    this.#server = server
    const http = createHttp((request, response) => void this.#answer(request, response))
    http.on('checkContinue', (request, response) => this.#takeVersion1(request, response))
    const http2 = createHttp2()
    http2.on('stream', (stream, headers) => this.#take(stream, `${headers[':method']} ${headers[':path']}`))
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket))
      const begin = (): void => {
        const some: unknown = socket.read()
        if (!Buffer.isBuffer(some)) return
        socket.off('readable', begin)
        socket.unshift(some)
        const isHttp2 = versions === 2 && some.toString('latin1', 0, 3) === 'PRI'
        ;(isHttp2 ? http2 : http).emit('connection', socket)
      }
      socket.on('readable', begin)
    })
  }

  /** `versions`: the highest version of the protocol that it knows. */
  static async start(versions: 1 | 2 = 2): Promise<Recorder> {
    const server = createServer()
    await new Promise<void>((resolve, reject) => server.on('error', reject).listen(0, '127.0.0.1', resolve))
    return new Recorder(server, versions)
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** The only recording, when all of it has come. */
  async whole(): Promise<unknown[]> {
    const { text: all } = await poll('a whole recording', () => this.recordings.find(({ isWhole }) => isWhole))
    return all
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as unknown)
  }

  /** Breaks all connections. */
  die(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #statusOf(asked: string): number | undefined {
    this.asked.push(asked)
    return asked in this.statuses ? this.statuses[asked as Asked] : 200
  }

  #take(stream: ServerHttp2Stream, asked: string): void {
    stream.on('error', () => {})
    const status = this.#statusOf(asked)
    if (status === undefined) return
    const isHead = asked.startsWith('HEAD ')
    stream.respond({ ':status': status }, { endStream: isHead || status !== 200 })
    if (isHead || status !== 200) return
    if (this.isReading) stream.write('{}\n')
    this.#record(stream, stream, () => stream.end('{"ack":1}\n'))
  }

  #takeVersion1(request: IncomingMessage, response: ServerResponse): void {
    const status = this.#statusOf(`${request.method} ${request.url}`)
    if (status === undefined) return
    if (status !== 200) return void response.writeHead(status).end()
    response.writeContinue()
    this.#record(request.socket, request, () => response.end())
  }

  #record(stream: Duplex, source: ServerHttp2Stream | IncomingMessage, end: () => void): void {
    const recorded: Recorded = { stream, text: '', isWhole: false }
    this.recordings.push(recorded)
    if (!this.isReading) return
    source.on('error', () => {})
    source.setEncoding('utf8').on('data', (some: string) => (recorded.text += some))
    source.on('end', () => {
      recorded.isWhole = true
      end()
    })
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = `${request.method} ${request.url}`
    const body = await text(request).catch(() => '')
    const status = this.#statusOf(asked)
    if (status === undefined) return
    if (asked === 'POST /v2/event' && status === 200) this.events.push(JSON.parse(body) as Record<string, unknown>)
    response.writeHead(status).end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.die()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
