import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2'
import { once } from 'node:events'
import { isJsonObject, parseJson } from '../../lib/json.ts'

/** In milliseconds: without a sign of life for longer, a recorder is lost; and the most that a last answer has. */
const silenceMs = 30_000

/** The longest line that a recorder answers, in characters. */
const longestLine = 64 * 1024

/** A recording on its way to a recorder, which has agreed to take it. */
export class Upload {
  readonly #connection: ClientHttp2Session
  readonly #stream: ClientHttp2Stream
  readonly #broken = Promise.withResolvers<never>()
  readonly #closed: Promise<unknown>
  #timer: NodeJS.Timeout
  #error: Error | undefined
  #line = ''
  #isEnding = false

  /** `lost` is called once if the recorder cannot go on; what is written then rejects with the same reason. */
  constructor(connection: ClientHttp2Session, stream: ClientHttp2Stream, lost: (reason: Error) => void) {
    this.#connection = connection
    this.#stream = stream
    this.#broken.promise.catch(lost)
    this.#timer = this.#watch()
    this.#closed = once(stream, 'end').catch(() => {})
    stream.setEncoding('utf8').on('data', (some: string) => this.#take(some))
    stream.on('error', (error) => this.#fail(error))
    stream.on('end', () => {
      this.#take('\n')
      this.#fail(new Error('the recorder ended the recording'))
    })
    stream.on('close', () => this.#fail(new Error('the connection to the recorder broke')))
    if (stream.destroyed) this.#fail(new Error('the connection to the recorder broke'))
  }

  /** Resolves when this was sent. Only so much is on its way at once as the recorder allows. */
  write(text: string): Promise<void> {
    return this.#within(() => new Promise<void>((resolve) => this.#stream.write(text, () => resolve())))
  }

  /** Resolves when the recorder has all of it. */
  async end(): Promise<void> {
    await this.#within(() => {
      this.#isEnding = true
      this.#stream.end()
      return this.#closed
    })
    this.close()
  }

  /** Gives up what has not been sent. */
  close(): void {
    clearTimeout(this.#timer)
    this.#connection.destroy()
  }

  async #within(work: () => Promise<unknown>): Promise<void> {
    if (this.#error) throw this.#error
    const late = setTimeout(() => this.#fail(new Error('the recorder takes nothing')), silenceMs)
    try {
      await Promise.race([work(), this.#broken.promise])
    } finally {
      clearTimeout(late)
    }
    // It may have been over for this reason.
    if (this.#error) throw this.#error
  }

  #watch(): NodeJS.Timeout {
    return setTimeout(() => this.#fail(new Error('nothing was heard of the recorder')), silenceMs)
  }

  /** Reads its lines of JSON, of which only errors matter. */
  #take(some: string): void {
    clearTimeout(this.#timer)
    this.#timer = this.#watch()
    const lines = `${this.#line}${some}`.split('\n')
    this.#line = lines.pop() ?? ''
    if (this.#line.length > longestLine) this.#fail(new Error('the recorder answers without end'))
    for (const line of lines) {
      const answer = parseJson(line)
      const error = isJsonObject(answer) ? answer['error'] : undefined
      if (typeof error === 'string' && error !== '') this.#fail(new Error(`the recorder reports: ${error}`))
    }
  }

  #fail(error: Error): void {
    // When all was sent, an end is what is waited for.
    if (this.#error !== undefined || (this.#isEnding && this.#stream.readableEnded)) return
    this.#error = error
    this.close()
    this.#broken.reject(error)
  }
}
