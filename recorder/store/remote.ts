import type { Readable, Stored } from './store.ts'

/** Why something cannot be kept there: one of a few words, for metrics. */
export type RemoteReason =
  | 'unreachable' // no answer, or none that can be trusted
  | 'busy' // it asks to come back later, or has failed by itself
  | 'credentials' // there are none, or they are not accepted
  | 'denied' // they do not give the right to do that
  | 'bucket' // it is not there, or elsewhere
  | 'mismatch' // what is kept is not what was sent
  | 'refused' // anything else that it says no to
  | 'spool' // it cannot be read here

/** Those that are about everything, and not only about what was to be kept. */
const ofAll: ReadonlySet<RemoteReason> = new Set(['unreachable', 'busy', 'credentials', 'denied', 'bucket'])
/** Those that somebody must do something about. */
const lasting: ReadonlySet<RemoteReason> = new Set(['credentials', 'denied', 'bucket'])

/** A failure of a remote. `code` is `ENOENT` if what was asked for is not there. */
export class RemoteError extends Error {
  readonly reason: RemoteReason
  readonly code: 'ENOENT' | undefined

  constructor(
    reason: RemoteReason,
    message: string,
    options: { readonly cause?: unknown; readonly code?: 'ENOENT' } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'RemoteError'
    this.reason = reason
    this.code = options.code
  }

  /** Whether nothing else can be kept there now, either. */
  get isOfAll(): boolean {
    return ofAll.has(this.reason)
  }

  /** Whether it stays so until somebody does something. */
  get isLasting(): boolean {
    return lasting.has(this.reason)
  }
}

/** Where finished recordings and events are kept beyond this machine. Each call may reject with a RemoteError. */
export type Remote = {
  /** Keeps a copy under the same key, instead of what is there; resolves when it would survive, and is whole. */
  readonly upload: (from: Readable) => Promise<void>
  readonly list: () => AsyncIterable<Stored>
  readonly open: (key: string) => Promise<Readable>
  readonly remove: (key: string) => Promise<void>
  /** Rejects if it is not as it should be. */
  readonly look: () => Promise<void>
}
