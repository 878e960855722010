import type { Writable } from 'node:stream'

/** In milliseconds: to find out whether a recorder is there, and until it agrees to take something. */
export const answerMs = 5000

/** The same for how long a recorder may be silent, or take nothing, while it records. */
export const silenceMs = 30_000

/** A recorder that has agreed to take a recording. */
export type Taker = {
  /** Where the recording goes. */
  readonly body: Writable
  /** Resolves when the recorder has all of it, or says so; rejects if it fails, or the way to it. */
  readonly done: Promise<void>
  readonly close: () => void
}
