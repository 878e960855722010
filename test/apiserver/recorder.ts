import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { poll } from '../lab/poll.ts'

/** A recording that has come. */
export type Recorded = { readonly stream: ServerHttp2Stream; text: string; isWhole: boolean }

/** A recorder that keeps what it gets, and has the faults that a test wants. */
export class Recorder implements AsyncDisposable {
  readonly #server: Http2Server
  readonly #sessions = new Set<ServerHttp2Session>()
  readonly recordings: Recorded[] = []
  /** The methods that were asked for, in order. */
  readonly asked: string[] = []
  /** What each method is answered by; undefined: never. */
  statuses: Readonly<Record<string, number | undefined>> = { HEAD: 200, POST: 200 }
  /** Whether what comes is read. */
  isReading = true

  private constructor(server: Http2Server) {
    this.#server = server
    server.on('session', (session) => {
      this.#sessions.add(session)
      session.on('close', () => this.#sessions.delete(session))
    })
    server.on('stream', (stream, headers) => this.#take(stream, String(headers[':method'])))
  }

  static async start(): Promise<Recorder> {
    const server = createServer()
    await new Promise<void>((resolve, reject) => server.on('error', reject).listen(0, '127.0.0.1', resolve))
    return new Recorder(server)
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** The only recording, when all of it has come. */
  async whole(): Promise<unknown[]> {
    const { text } = await poll('a whole recording', () => this.recordings.find(({ isWhole }) => isWhole))
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as unknown)
  }

  /** Breaks all connections. */
  die(): void {
    for (const session of this.#sessions) session.destroy()
  }

  #take(stream: ServerHttp2Stream, method: string): void {
    this.asked.push(method)
    stream.on('error', () => {})
    const status = this.statuses[method]
    if (status === undefined) return
    stream.respond({ ':status': status }, { endStream: method === 'HEAD' || status !== 200 })
    if (method === 'HEAD' || status !== 200) return
    const recorded: Recorded = { stream, text: '', isWhole: false }
    this.recordings.push(recorded)
    if (!this.isReading) return
    stream.write('{}\n')
    stream.setEncoding('utf8').on('data', (some: string) => (recorded.text += some))
    stream.on('end', () => {
      recorded.isWhole = true
      stream.end('{"ack":1}\n')
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.die()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
