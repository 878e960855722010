/** What is kept, by a key such as `nAbc/2026-11-30T12:00:00.000000000Z.cast`: names with slashes between them. */
export type Stored = {
  readonly key: string
  readonly bytes: number
  /** When it was last written to. */
  readonly modified: Date
}

/** Something whose bytes can be read. */
export type Readable = {
  readonly key: string
  readonly bytes: number
  /** The bytes from `from` up to `to`, fewer at the end. */
  readonly read: (from: number, to: number) => Promise<Buffer>
}

/** The same, until it is closed. */
export type Opened = Readable & { readonly close: () => Promise<void> }

/** A recording that is being written. Only one call at a time, but for `sync` and `reopen`. Each may reject with an
 * error of the system. */
export type Part = Readable & {
  readonly append: (bytes: Buffer) => Promise<void>
  /** Resolves when all that was appended before would survive the end of this process and of the machine. */
  readonly sync: () => Promise<void>
  /** Ends it with its first `bytes` and what is given; resolves when that would survive, too. */
  readonly finish: (bytes: number, end?: Buffer) => Promise<void>
  /** Opens what has been written so far; it can still be read when the recording has ended. */
  readonly reopen: () => Promise<Opened>
  /** Removes it. */
  readonly discard: () => Promise<void>
  /** Leaves it to be found by `unfinished`, unless it is finished. */
  readonly leave: () => Promise<void>
}

/** Where recordings and events are kept. Keys are those of `keys.ts`. */
export type Store = {
  /** Begins a recording; resolves when that would survive. Rejects with `EEXIST` if there is one with this key. */
  readonly begin: (key: string) => Promise<Part>
  /** Stores something small as a whole; resolves when it would survive. */
  readonly put: (key: string, bytes: Buffer) => Promise<void>
  /**
   * The recordings that were begun and not finished, except those that are being written here. They are ours from now
   * on: another process that still writes one learns so from its next `sync`, which rejects.
   */
  readonly unfinished: () => AsyncIterable<Part>
  /** All that is finished, in any order. */
  readonly list: () => AsyncIterable<Stored>
  readonly open: (key: string) => Promise<Opened>
  readonly remove: (key: string) => Promise<void>
  /** Bytes that are free; undefined if there is no limit. */
  readonly free: () => Promise<number | undefined>
  /** How many may be read at the same time. */
  readonly readsAtOnce: number
}
