import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Entry } from './index/entry.ts'
import type { Index } from './index/index.ts'
import { events } from './log-events.ts'
import type { Counts } from './metrics.ts'
import type { Peer } from './peers.ts'
import type { Recording } from './recording.ts'
import type { Refused } from './refused.ts'

type Outside = {
  readonly index: Index
  readonly counts: Counts
  readonly clock: Clock
  readonly log: Log
  /** So many bytes were finished. */
  readonly stored: (bytes: number) => void
  /** Writes a line of JSON for a recording that has begun, and that has ended. */
  readonly print: (text: string) => void
}

/** The recordings that are being uploaded. What becomes of them is in the index, the metrics and the output. */
export class Uploads {
  readonly #outside: Outside
  readonly #open = new Set<Recording>()
  #receivedBefore = 0
  #onEmpty: (() => void) | undefined
  /** Whether one could not be finished and was left in the store. */
  hasLeft = false

  constructor(outside: Outside) {
    this.#outside = outside
  }

  begin(recording: Recording, peer: Peer) {
    const { index, counts, clock, log, stored } = this.#outside
    this.#open.add(recording)
    const ended = (entry: Entry | undefined, refused?: Refused): void => {
      this.#open.delete(recording)
      this.#receivedBefore += recording.received
      if (entry) {
        index.put(entry)
        stored(entry.bytes)
      } else index.remove(recording.key)
      counts.ended(entry?.state === 'whole' ? 'whole' : entry ? 'cut' : 'empty')
      this.#print('ended', recording, peer, { ...entry, ...(refused && { why: refused.message }) })
      if (this.#open.size === 0) this.#onEmpty?.()
    }
    return {
      ended,
      /** Its header has come. */
      begun: (): void => {
        const entry = recording.entry(clock.date())
        index.put(entry)
        this.#print('began', recording, peer, entry)
      },
      /** It could not be finished. */
      failed: (error: unknown): undefined => {
        this.hasLeft = true
        log(events.unfinishedYet({ key: recording.key, problem: error }))
      },
    }
  }

  get open(): number {
    return this.#open.size
  }

  /** The one with this key, while it is being uploaded. */
  find(key: string): Recording | undefined {
    return [...this.#open].find((one) => one.key === key)
  }

  /** Bytes of recordings that have come since the start. */
  get received(): number {
    return [...this.#open].reduce((sum, { received }) => sum + received, this.#receivedBefore)
  }

  /** Bytes that have come and would not survive yet, and for how many milliseconds the oldest of them has waited. */
  get unacknowledged(): { readonly bytes: number; readonly ms: number } {
    const now = this.#outside.clock.now()
    const all = [...this.#open]
    return {
      bytes: all.reduce((sum, { received, acknowledged }) => sum + received - acknowledged, 0),
      ms: Math.max(0, ...all.map(({ waitingSince }) => now - (waitingSince ?? now))),
    }
  }

  /** Resolves when none is open, at once if none is. */
  empty(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEmpty = resolve
      if (this.#open.size === 0) resolve()
    })
  }

  #print(
    stage: 'began' | 'ended',
    { key, received }: Recording,
    peer: Peer,
    what: Partial<Entry> & { readonly why?: string },
  ) {
    const { state, kind, from, who, where, seconds, why } = what
    const line = {
      time: this.#outside.clock.date().toISOString(),
      stage,
      key,
      node: peer.name,
      ...(stage === 'ended' && { state: state ?? 'discarded', bytes: received, seconds, why }),
      // Commands are left out, since secrets are in some.
      kind,
      from,
      who,
      where,
    }
    this.#outside.print(`${JSON.stringify(line)}\n`)
  }
}
