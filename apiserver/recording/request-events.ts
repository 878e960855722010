import type { Readable } from 'node:stream'
import type { Clock } from '../../lib/clock.ts'
import { describe } from '../../lib/errors.ts'
import type { Dial } from '../../localapi/dial.ts'
import type { Caller } from '../caller.ts'
import { PerPeer } from '../per-peer.ts'
import { Refused } from '../refused.ts'
import type { Received } from '../well-formed.ts'
import { readBody } from './body.ts'
import { eventOf } from './event.ts'
import { EventRecorders } from './event-recorders.ts'

/** Memory for bodies that are recorded, in bytes: of one peer, and of all. */
const [roomOfPeer, room] = [16 * 1024 * 1024, 64 * 1024 * 1024]

/** A request that was recorded, or may be made without. */
export type Told = {
  /** What is passed on. */
  readonly body: Buffer | Readable | null
  /** The address of the recorder. */
  readonly recorder?: string
  /** Why it was not recorded. */
  readonly unrecorded?: string
  /** Gives up the body's memory. */
  readonly free: () => void
}

/** Records requests, each before it is passed on, where the policy of its caller wants that. */
export class RequestEvents {
  readonly #recorders: EventRecorders
  readonly #clock: Clock
  readonly #room = new PerPeer(roomOfPeer, room)

  constructor(dial: Dial, clock: Clock) {
    this.#recorders = new EventRecorders(dial, clock)
    this.#clock = clock
  }

  /**
   * Resolves when a recorder has the request with its body.
   * @throws Refused if it must be recorded, and cannot be
   */
  async record(
    received: Received,
    { body, peer }: { readonly body: Readable | null; readonly peer: string },
    caller: Caller,
    signal: AbortSignal,
  ): Promise<Told> {
    const { recorders, enforcesRecording } = caller.rules
    const read = body ? await readBody(body, peer, this.#room) : { whole: undefined, free: () => {} }
    const { free } = read
    try {
      if ('rest' in read) {
        const why = read.isLarge ? 'this one is too large' : 'there are too many large ones at once'
        if (!enforcesRecording) return { body: read.rest, unrecorded: why, free }
        const status = read.isLarge ? 413 : 429
        throw new Refused(status, 'recorder', `the policy wants requests recorded, and ${why}`)
      }
      const passed = { body: read.whole ?? null, free }
      try {
        const event = eventOf(received, read.whole ?? Buffer.alloc(0), caller, this.#clock.date())
        return { ...passed, recorder: await this.#recorders.send(recorders, event, enforcesRecording, signal) }
      } catch (error) {
        if (!enforcesRecording) return { ...passed, unrecorded: describe(error) }
        throw new Refused(503, 'recorder', 'the policy wants this request recorded, and no recorder takes it', error)
      }
    } catch (error) {
      free()
      throw error
    }
  }
}
