import type { Clock } from '../lib/clock.ts'
import { codeOf } from '../lib/errors.ts'
import { type Header, mostHeaderBytes, parseHeader } from './cast/header.ts'
import { cutMarker, readTail } from './cast/tail.ts'
import { type Entry, entryOf } from './index/entry.ts'
import { recordingKey } from './keys.ts'
import { Refused } from './refused.ts'
import type { Part, Store } from './store/store.ts'

const newline = 0x0a

/**
 * A recording on its way into the store. Calls come one after the other, but for `sync`. What fails rejects with a
 * Refused.
 */
export class Recording {
  readonly #part: Part
  readonly #now: () => number
  readonly #mostBytes: number
  /** The first line, as far as it has come. */
  #head: Buffer[] = []
  #headBytes = 0
  #header: Header | undefined
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

  /** Undefined until it has come. */
  get header(): Header | undefined {
    return this.#header
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
    if (!this.#header) await this.#begin()
    const part = this.#part
    const entry = await storing(async () => {
      const tail = await readTail(part)
      await part.finish(part.bytes)
      return entryOf({ key: part.key, bytes: part.bytes, modified: now }, this.#header, tail)
    })
    this.#durable = this.#received
    return entry
  }

  /**
   * Ends it before its session has ended: with its last whole line, and a marker that says why. If that is not possible
   * now, it is left to be finished later.
   */
  cut(why: string, now: Date): Promise<Entry | undefined> {
    if (!this.#header) return this.discard()
    return storing(() => finishCut(this.#part, this.#header, why, now))
  }

  /** Removes it: it is no recording. */
  async discard(): Promise<undefined> {
    await storing(() => this.#part.discard())
  }

  /** What is known of it now. */
  entry(now: Date): Entry {
    const { key, bytes } = this.#part
    return entryOf({ key, bytes, modified: now }, this.#header, { seconds: undefined, isCut: false }, true)
  }

  async #take(chunk: Buffer): Promise<void> {
    if (this.#header) return this.#append(chunk)
    this.#head.push(chunk)
    this.#headBytes += chunk.length
    if (chunk.includes(newline)) return this.#begin()
    if (this.#headBytes > mostHeaderBytes) throw malformed(`its first line has more than ${mostHeaderBytes} bytes`)
  }

  async #begin(): Promise<void> {
    const bytes = Buffer.concat(this.#head)
    const end = bytes.indexOf(newline)
    const line = end < 0 ? bytes : bytes.subarray(0, end)
    if (line.length > mostHeaderBytes) throw malformed(`its first line has more than ${mostHeaderBytes} bytes`)
    try {
      this.#header = parseHeader(line.toString('utf8'))
    } catch (error) {
      throw malformed(error instanceof Error ? error.message : String(error))
    }
    this.#head = []
    await this.#append(bytes)
  }

  async #append(bytes: Buffer): Promise<void> {
    const before = this.#part.bytes
    await storing(() => this.#part.append(bytes))
    const last = bytes.lastIndexOf(newline)
    if (last >= 0) this.#whole = before + last + 1
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
 * Finishes a recording that was broken off; gives what is known of it then. Of one without a whole line, nothing
 * remains. Errors of the system leave it to be found again.
 */
export async function finishCut(
  part: Part,
  header: Header | undefined,
  why: string,
  now: Date,
): Promise<Entry | undefined> {
  try {
    const { whole, seconds = 0, isCut } = await readTail(part)
    if (whole === 0) {
      await part.discard()
      return undefined
    }
    await part.finish(whole, isCut ? undefined : Buffer.from(cutMarker(seconds, why)))
    return entryOf({ key: part.key, bytes: part.bytes, modified: now }, header, { seconds, isCut: true })
  } finally {
    await part.leave()
  }
}
