import { once } from 'node:events'
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2'
import { poll } from '../lab/poll.ts'

type Frame = { readonly ack?: number; readonly error?: string }

/** An upload by the second version of the protocol, as the test has it go on. */
export class Uploading {
  readonly session: ClientHttp2Session
  readonly stream: ClientHttp2Stream
  #said = ''
  #isOver = false
  status: number | undefined

  constructor(session: ClientHttp2Session, path = '/v2/record') {
    this.session = session
    this.stream = session.request({ ':method': 'POST', ':path': path }, { endStream: false })
    this.stream.on('error', () => {})
    this.stream.on('response', (headers) => (this.status = headers[':status']))
    this.stream.setEncoding('utf8').on('data', (some: string) => (this.#said += some))
    // A stream of a client does not close while it has something to send.
    for (const end of ['end', 'close']) this.stream.on(end, () => (this.#isOver = true))
  }

  /** What the recorder has said so far. */
  get frames(): Frame[] {
    return (
      this.#said
        .split('\n')
        .slice(0, -1)
        // A refusal is a text.
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Frame)
    )
  }

  /** Everything that was answered, as it is. */
  get text(): string {
    return this.#said
  }

  /** The bytes that are reported as stored. */
  get acknowledged(): number {
    return Math.max(0, ...this.frames.map(({ ack = 0 }) => ack))
  }

  /** Resolves when the recorder has agreed to take it. */
  async begun(): Promise<this> {
    await poll('an answer of the recorder', () => this.status)
    return this
  }

  /** Resolves when this was sent, or never will be. */
  async write(text: string | Buffer): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.stream.off('close', done)
        resolve()
      }
      this.stream.once('close', done)
      if (this.stream.closed) done()
      else this.stream.write(text, done)
    })
  }

  /** Resolves when so many bytes are reported as stored. */
  async stored(bytes: number): Promise<void> {
    await poll(`${bytes} bytes are stored`, () => (this.acknowledged >= bytes ? true : undefined))
  }

  /** Ends it; gives what the recorder has said in all. */
  async end(): Promise<Frame[]> {
    this.stream.end()
    return this.over()
  }

  /** Resolves when the recorder has ended it; gives what it has said in all. */
  async over(): Promise<Frame[]> {
    await poll('the recorder ends the recording', () => (this.#isOver ? true : undefined))
    this.session.destroy()
    return this.frames
  }

  /** Breaks the connection. */
  async break(): Promise<void> {
    this.session.destroy()
    if (!this.#isOver) await once(this.stream, 'close').catch(() => {})
  }
}
