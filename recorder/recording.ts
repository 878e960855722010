import type { Clock } from '../lib/clock.ts'
import { codeOf } from '../lib/errors.ts'
import { mostHeaderBytes, parseHeader } from './cast/header.ts'
import { cutMarker, readTail } from './cast/tail.ts'
import { type Entry, entryOf } from './index/entry.ts'
import { recordingKey } from './keys.ts'
import { Refused } from './refused.ts'
import type { Opened, Part, Store } from './store/store.ts'

const newline = 0x0a

/**
 * A recording on its way into the store. Calls come one after the other, but for `sync`. What fails rejects with a
 * Refused.
 */
export class Recording {
  readonly #part: Part
  readonly #now: () => number
  readonly #mostBytes: number
  /** What its first line says, once it has come. */
  #known: Entry | undefined
  /** What has come, and how much of it are whole lines in the store. */
  #received = 0
  #whole = 0
  #durable = 0
  /** When the oldest byte came that would not survive yet, by the clock's `now`. */
  #waitingSince: number | undefined

  private constructor(part: Part, now: () => number, mostBytes: number) {
    this.#part = part
    this.#now = now
    this.#mostBytes = mostBytes
  }

  /** Begins one of the node with this ID. `mostBytes`: how large it may become. */
  static async begin(
    store: Pick<Store, 'begin'>,
    id: string,
    { now, date }: Pick<Clock, 'now' | 'date'>,
    mostBytes = Infinity,
  ): Promise<Recording> {
    return new Recording(await storing(() => store.begin(recordingKey(id, date()))), now, mostBytes)
  }

  get key(): string {
    return this.#part.key
  }

  /** Whether its first line has come. */
  get hasHeader(): boolean {
    return this.#known !== undefined
  }

  /** Bytes that have come, and how many of them would survive. */
  get received(): number {
    return this.#received
  }
  get acknowledged(): number {
    return this.#durable
  }

  get waitingSince(): number | undefined {
    return this.#waitingSince
  }

  /** Opens what has come so far, in whole lines: no more of it is ever taken back. */
  async open(): Promise<Opened> {
    const bytes = this.#whole
    return { ...(await this.#part.reopen()), bytes }
  }

  /** Takes what comes next. Of what is more than allowed, as much as is allowed. */
  async write(chunk: Buffer): Promise<void> {
    const left = this.#mostBytes - this.#received
    this.#received += chunk.length
    this.#waitingSince ??= this.#now()
    await this.#take(chunk.subarray(0, left))
    if (chunk.length > left)
      throw new Refused(413, 'limit', `the recording has more than ${this.#mostBytes} bytes, which is the limit here`)
  }

  /** Makes what has come so far survive; gives how many bytes do, which are whole lines. */
  async sync(): Promise<number> {
    const [whole, began] = [this.#whole, this.#now()]
    if (whole > this.#durable) {
      await storing(() => this.#part.sync())
      this.#durable = whole
      this.#waitingSince = this.#received > whole ? began : undefined
    }
    return this.#durable
  }

  /** Ends it, as its uploader did; resolves when all of it would survive. What fails can still be cut off. */
  async complete(now: Date): Promise<Entry | undefined> {
    if (this.#received === 0) return this.discard()
    const part = this.#part
    if (!this.#known) await this.#begin(part.bytes)
    const { seconds, isCut } = await storing(async () => {
      const tail = await readTail(part)
      await part.finish(part.bytes)
      return tail
    })
    this.#durable = this.#received
    return { ...this.entry(now), state: isCut ? 'cut' : 'whole', seconds }
  }

  /**
   * Ends it before its session has ended: with its last whole line, and a marker that says why. If that is not possible
   * now, it is left to be finished later.
   */
  async cut(why: string, now: Date): Promise<Entry | undefined> {
    if (!this.#known) return this.discard()
    const end = await storing(() => finishCut(this.#part, why))
    return end && { ...this.entry(now), state: 'cut', ...end }
  }

  /** Removes it: it is no recording. */
  async discard(): Promise<undefined> {
    await storing(() => this.#part.discard())
  }

  /** What is known of it now; only after its first line has come. */
  entry(now: Date): Entry {
    return { ...this.#known!, bytes: this.#part.bytes, modified: now.getTime() }
  }

  async #take(chunk: Buffer): Promise<void> {
    const before = this.#part.bytes
    await storing(() => this.#part.append(chunk))
    if (!this.#known) {
      const end = chunk.indexOf(newline)
      const headBytes = end < 0 ? this.#part.bytes : before + end
      if (headBytes > mostHeaderBytes) throw malformed(`its first line has more than ${mostHeaderBytes} bytes`)
      if (end < 0) return
      await this.#begin(headBytes)
    }
    const last = chunk.lastIndexOf(newline)
    if (last >= 0) this.#whole = before + last + 1
  }

  /** Reads the first line, which is in the store: thousands of long ones are not in memory. */
  async #begin(headBytes: number): Promise<void> {
    const part = this.#part
    const line = await storing(() => part.read(0, headBytes))
    try {
      const stored = { key: part.key, bytes: part.bytes, modified: new Date(0) }
      const tail = { seconds: undefined, isCut: false }
      this.#known = entryOf(stored, parseHeader(line.toString('utf8')), tail, true)
    } catch (error) {
      throw malformed(error instanceof Error ? error.message : String(error))
    }
  }
}

const malformed = (why: string): Refused => new Refused(400, 'malformed', `this is no recording: ${why}`)

/** Errors of the system for which the remedy is more room. */
const full = new Set(['ENOSPC', 'EDQUOT'])

/** Has errors of a store become refusals. */
export async function storing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Refused) throw error
    const code = codeOf(error) ?? 'no code'
    if (full.has(code)) throw new Refused(507, 'storage', 'the recorder has no room left', error)
    throw new Refused(503, 'storage', `the recorder cannot store anything (${code})`, error)
  }
}

/**
 * Finishes a recording that was broken off; gives how long it is then. Of one without a whole line, nothing remains.
 * Errors of the system leave it to be found again.
 */
export async function finishCut(part: Part, why: string): Promise<Pick<Entry, 'bytes' | 'seconds'> | undefined> {
  try {
    const { whole, seconds = 0, isCut } = await readTail(part)
    if (whole === 0) {
      await part.discard()
      return undefined
    }
    await part.finish(whole, isCut ? undefined : Buffer.from(cutMarker(seconds, why)))
    return { bytes: part.bytes, seconds }
  } finally {
    await part.leave()
  }
}
