import { silenceMs, type Taker } from './taker.ts'

/** A recording on its way to a recorder. */
export class Upload {
  readonly #taker: Taker
  readonly #lost: (reason: Error) => void
  /** Reject what is waited for: a promise for all of it would keep something of each piece of a session. */
  readonly #waiting = new Set<(reason: Error) => void>()
  #error: Error | undefined
  #isEnding = false
  #isDone = false

  /** `lost` is called once if the recorder cannot go on; what is written then rejects with the same reason. */
  constructor(taker: Taker, lost: (reason: Error) => void) {
    this.#taker = taker
    this.#lost = lost
    taker.body.on('error', (error) => this.#fail(error))
    void this.#follow()
  }

  /** Resolves when this was sent. Only so much is on its way at once as the recorder allows. */
  write(text: string): Promise<void> {
    return this.#within(() => new Promise<void>((resolve) => this.#taker.body.write(text, () => resolve())))
  }

  /** Resolves when the recorder has all of it. */
  async end(): Promise<void> {
    await this.#within(() => {
      this.#isEnding = true
      this.#taker.body.end()
      return this.#taker.done
    })
    this.close()
  }

  /** Gives up what has not been sent. */
  close(): void {
    this.#taker.close()
  }

  async #within(work: () => Promise<unknown>): Promise<void> {
    if (this.#error) throw this.#error
    const { promise, reject } = Promise.withResolvers<never>()
    this.#waiting.add(reject)
    const late = setTimeout(() => this.#fail(new Error('the recorder takes nothing')), silenceMs)
    try {
      await Promise.race([work(), promise])
    } finally {
      clearTimeout(late)
      this.#waiting.delete(reject)
    }
    // It may have been over for this reason.
    if (this.#error) throw this.#error
  }

  async #follow(): Promise<void> {
    try {
      await this.#taker.done
      this.#isDone = this.#isEnding
      throw new Error('the recorder ended the recording')
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #fail(error: Error): void {
    // What breaks then does not matter any more.
    if (this.#error !== undefined || this.#isDone) return
    this.#error = error
    this.close()
    for (const reject of this.#waiting) reject(error)
    this.#lost(error)
  }
}
