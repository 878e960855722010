import type { IncomingMessage } from 'node:http'
import { Http2ServerRequest } from 'node:http2'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../lib/clock.ts'
import type { Recording } from './recording.ts'
import { Refused } from './refused.ts'
import type { Reply } from './reply.ts'

/** In milliseconds: how often what has come is made to survive, and the longest time without a word to the uploader. */
const [syncMs, wordMs] = [1000, 5000]
/** An uploader that takes no answers for so many milliseconds is gone. */
const deafMs = 60_000

export type Request = IncomingMessage | Http2ServerRequest

/** What an uploader hears while it uploads. */
export type Words = {
  /** So many bytes would survive. */
  readonly acknowledge: (bytes: number) => void
  /** Whether what was said before has not been taken yet. */
  readonly isDeaf: () => boolean
}

/** Those of the first version of the protocol, in which there are none. */
export const noWords: Words = { acknowledge: () => {}, isDeaf: () => false }

/** Lines of JSON, as in the second version. */
export const wordsOf = ({ say, isDeaf }: Pick<Reply, 'say' | 'isDeaf'>): Words => ({
  acknowledge: (bytes) => say(`${JSON.stringify(bytes > 0 ? { ack: bytes } : {})}\n`),
  isDeaf,
})

/**
 * Takes a recording until its uploader has ended it. Meanwhile it is made to survive again and again, and the uploader
 * hears how far. Rejects with a Refused if the uploader goes away before, if something fails, or when `stop` aborts,
 * with its reason.
 */
export async function receive(
  request: Request,
  recording: Recording,
  words: Words,
  { clock, stop, begun }: { readonly clock: Clock; readonly stop: AbortSignal; readonly begun: () => void },
): Promise<void> {
  const over = new AbortController()
  const reader = new Reader(request)
  const stopped = (): void => reader.fail(stop.reason)
  if (stop.aborted) stopped()
  stop.addEventListener('abort', stopped)
  const beating = beat(recording, words, clock, over.signal).catch((error: unknown) => reader.fail(error))
  try {
    for (let chunk = await reader.next(); chunk; chunk = await reader.next()) {
      const { hasHeader } = recording
      await recording.write(chunk)
      if (!hasHeader && recording.hasHeader) begun()
    }
    if (!(await isWhole(request))) throw gone()
  } finally {
    stop.removeEventListener('abort', stopped)
    over.abort()
    // What it makes survive is still open.
    await beating
  }
}

const gone = (cause?: unknown): Refused => new Refused(400, 'gone', 'the connection broke', cause)

/**
 * Reads what comes, until something else fails. Races of promises would do the same, but one that lasts for a session
 * would remember each chunk of it.
 */
class Reader {
  readonly #request: Request
  #failure: { readonly reason: unknown } | undefined
  #wake = (): void => {}

  constructor(request: Request) {
    this.#request = request
    for (const event of ['readable', 'end', 'close']) request.on(event, () => this.#wake())
    request.on('error', (error) => this.fail(gone(error)))
  }

  /** Has the next one be refused for this reason. */
  fail(reason: unknown): void {
    this.#failure ??= { reason }
    this.#wake()
  }

  /** All that has come; undefined at the end. */
  async next(): Promise<Buffer | undefined> {
    for (;;) {
      if (this.#failure) throw this.#failure.reason
      const chunk: unknown = this.#request.read()
      if (Buffer.isBuffer(chunk)) return chunk
      if (isOver(this.#request)) return undefined
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }
}

/** Whether nothing more can come. */
const isOver = (request: Request): boolean =>
  request.readableEnded || request.destroyed || (request instanceof Http2ServerRequest && request.stream.destroyed)

/** Whether the end that was read is the one that the uploader meant, and not that of its connection. */
async function isWhole(request: Request): Promise<boolean> {
  if (!(request instanceof Http2ServerRequest)) return request.complete
  // The end comes while the frame is being read that brings it, and only then it is known which one that is.
  await nextTurn()
  const { aborted, closed, state } = request.stream
  return !aborted && !closed && state.remoteClose === 1
}

async function beat(recording: Recording, words: Words, clock: Clock, signal: AbortSignal): Promise<void> {
  let said = 0
  let saidAt = clock.now()
  for (;;) {
    await clock.sleep(syncMs, signal)
    if (signal.aborted) return
    const survives = await recording.sync()
    const since = clock.now() - saidAt
    if (words.isDeaf()) {
      if (since > deafMs) throw new Refused(400, 'gone', 'the uploader takes no answers')
    } else if (survives > said || since >= wordMs) {
      words.acknowledge(survives)
      said = survives
      saidAt = clock.now()
    }
  }
}
