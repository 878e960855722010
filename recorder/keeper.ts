import type { Clock } from '../lib/clock.ts'
import { codeOf } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { limited } from '../lib/limit.ts'
import { type Entry, entryOf, readEntry } from './index/entry.ts'
import type { Index } from './index/index.ts'
import { Newest } from './index/newest.ts'
import { mostRequests, readEvent, requestEntry } from './index/request.ts'
import { isEventKey, isRecordingKey } from './keys.ts'
import { events } from './log-events.ts'
import type { Counts } from './metrics.ts'
import { finishCut } from './recording.ts'
import { Ages, type Limits } from './retention.ts'
import { RemoteError } from './store/remote.ts'
import type { Part, Store, Stored } from './store/store.ts'

/**
 * How often everything is looked at, in milliseconds: at least each hour, and sooner the less there is, since other
 * recorders may have stored something; that soon, too, if there is too much.
 */
const [mostMs, leastMs, msForEach] = [3_600_000, 60_000, 36]

export type Outside = {
  readonly store: Store
  readonly index: Index
  /** The newest requests, if they are to be found. */
  readonly requests?: Index | undefined
  readonly limits: Limits
  readonly counts: Counts
  readonly clock: Clock
  readonly log: Log
}

/** Finishes what is unfinished, fills the index from the store, and removes what is too old or too much. */
export class Keeper {
  readonly #outside: Outside
  /** Of all recordings and events that are finished. */
  storedBytes = 0
  /** Whether everything has been looked at since the start. */
  hasLooked = false
  /** How many were found then. */
  #count = 0

  constructor(outside: Outside) {
    this.#outside = outside
  }

  /**
   * Finishes the recordings that a recorder before this one could not. One that cannot be finished is reported and left.
   * @throws Error of the system if the store cannot be read
   */
  async finishLeft(): Promise<number> {
    let count = 0
    for await (const part of this.#outside.store.unfinished()) if (await this.#finish(part)) count += 1
    return count
  }

  /** So many bytes were added. */
  stored(bytes: number): void {
    this.storedBytes += bytes
  }

  /** Looks now and from time to time, until `signal` aborts. Of failures in a row, the first is reported. */
  async keep(signal: AbortSignal): Promise<void> {
    const { clock, limits, log } = this.#outside
    let failures = 0
    for (let last = -Infinity; !signal.aborted; await clock.sleep(leastMs, signal)) {
      const pause = Math.min(mostMs, msForEach * this.#count)
      if (clock.now() - last < pause && this.storedBytes <= limits.maxBytes) continue
      const began = clock.now()
      try {
        await this.look()
        ;[last, failures] = [began, 0]
        this.hasLooked = true
      } catch (error) {
        if (failures === 0) log(events.notLookedAt({ problem: error }))
        failures += 1
      }
    }
  }

  /** Brings the index up to date with the store, and removes what is not to be kept any more. */
  async look(): Promise<void> {
    const { index, requests, limits, clock } = this.#outside
    const ages = new Ages()
    // What is finished meanwhile may not be in the list yet.
    const gone = new Set([...index.keys()].filter((key) => index.get(key)?.state !== 'open'))
    const goneRequests = new Set(requests?.keys())
    const newest = new Newest(mostRequests)
    const reading = limited(this.#outside.store.readsAtOnce)
    const read: Promise<void>[] = []
    const learn = async (stored: Stored): Promise<void> => {
      const one = reading(() => this.#learn(stored))
      // The list may fail before it is awaited.
      one.catch(() => {})
      read.push(one)
      // The list must not run far ahead of what is read.
      if (read.length >= 1000) await Promise.all(read.splice(0))
    }
    let count = 0
    for await (const stored of this.#list()) {
      count += 1
      ages.add(stored.modified.getTime(), stored.bytes)
      if (isRecordingKey(stored.key)) {
        gone.delete(stored.key)
        if (!this.#isKnown(stored)) await learn(stored)
      } else if (requests) {
        goneRequests.delete(stored.key)
        newest.add(stored)
      }
    }
    for (const stored of newest.all()) if (!requests?.get(stored.key)) await learn(stored)
    await Promise.all(read)
    for (const key of gone) index.remove(key)
    for (const key of goneRequests) requests?.remove(key)
    this.#count = count
    this.storedBytes = ages.bytes
    const cutoff = ages.cutoff(limits, clock.date().getTime())
    if (cutoff > -Infinity) await this.#removeBefore(cutoff)
  }

  async #removeBefore(cutoff: number): Promise<void> {
    const { store, index, requests, counts, log } = this.#outside
    let count = 0
    for await (const { key, bytes, modified } of this.#list()) {
      if (modified.getTime() >= cutoff) continue
      await store.remove(key)
      index.remove(key)
      requests?.remove(key)
      counts.removed()
      this.storedBytes -= bytes
      count += 1
    }
    if (count > 0) log(events.removed({ count, date: new Date(cutoff).toISOString() }))
  }

  /** What else is in the store is not ours. */
  async *#list(): AsyncGenerator<Stored> {
    for await (const stored of this.#outside.store.list())
      if (isRecordingKey(stored.key) || isEventKey(stored.key)) yield stored
  }

  #isKnown({ key, bytes, modified }: Stored): boolean {
    const known = this.#outside.index.get(key)
    return known !== undefined && known.bytes === bytes && known.modified >= modified.getTime()
  }

  async #learn(stored: Stored): Promise<void> {
    const { store, index, requests, log } = this.#outside
    const isRequest = isEventKey(stored.key)
    const put = (entry: Entry): void => (isRequest ? requests?.put(entry) : index.put(entry))
    try {
      const file = await store.open(stored.key)
      try {
        put(isRequest ? requestEntry(stored, await readEvent(file)) : await readEntry(stored, file))
      } finally {
        await file.close()
      }
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return
      if (error instanceof RemoteError && error.isOfAll) throw error
      log(events.unreadable({ key: stored.key, problem: error }))
      put(
        isRequest ? requestEntry(stored, undefined) : entryOf(stored, undefined, { seconds: undefined, isCut: false }),
      )
    }
  }

  async #finish(part: Part): Promise<boolean> {
    const { index, log } = this.#outside
    try {
      const { key } = part
      const end = await finishCut(part, 'the recorder ended before it')
      // Its header is read when it is looked at.
      if (end) index.remove(key)
      return end !== undefined
    } catch (error) {
      log(events.unfinished({ key: part.key, problem: error }))
      return false
    }
  }
}
