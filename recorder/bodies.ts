import type { Clock } from '../lib/clock.ts'
import { readBody, TooLarge } from '../lib/read-body.ts'
import { mostEventBytes } from './event.ts'
import { Refused } from './refused.ts'
import type { Request } from './upload.ts'

/** How long the body of an event may take, in milliseconds. */
const mostMs = 60_000

/** Reads the bodies of events, of which only so many bytes may be in memory at the same time. */
export class Bodies {
  readonly #clock: Pick<Clock, 'after'>
  readonly #most: number
  #held = 0

  constructor(clock: Pick<Clock, 'after'>, most = 8 * mostEventBytes) {
    this.#clock = clock
    this.#most = most
  }

  /** Gives a body to `use`; it counts until that is done. Rejects with a Refused if it cannot be read. */
  async take<T>(request: Request, use: (text: string) => Promise<T>): Promise<T> {
    const over = new AbortController()
    this.#clock.after(mostMs, over.signal, () => request.destroy(new Error('it takes too long')))
    let own = 0
    const counted = async function* (this: Bodies): AsyncGenerator<Buffer> {
      // A request that is given up must still be answered.
      for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        own += chunk.length
        this.#held += chunk.length
        if (this.#held > this.#most) throw new Refused(503, 'limit', 'too many events are being sent at once')
        yield chunk
      }
    }
    try {
      const text = await readBody(counted.call(this), mostEventBytes).catch(refuse)
      over.abort()
      return await use(text)
    } finally {
      over.abort()
      this.#held -= own
    }
  }
}

function refuse(error: unknown): never {
  if (error instanceof Refused) throw error
  if (error instanceof TooLarge) throw new Refused(413, 'limit', `an event has at most ${mostEventBytes} bytes`)
  throw new Refused(400, 'gone', 'the connection broke', error)
}
