import type { Clock } from '../../lib/clock.ts'
import { describe } from '../../lib/errors.ts'
import type { Dial } from '../../localapi/dial.ts'
import type { Caller } from '../caller.ts'
import { Refused } from '../refused.ts'
import { Cast, readSize } from './cast.ts'
import type { Piece } from './channels.ts'
import { type Read, readersOf } from './readers.ts'
import { agree, connector, reachForRecording } from './recorders.ts'
import type { Session } from './session.ts'
import { Upload } from './upload.ts'

/** The longest text in which a size is looked for, in characters. */
const longestSize = 256

/** The recording of one session, or why there is none. */
export class Recording {
  readonly #cast: Cast
  readonly #clock: Clock
  readonly #began: number
  readonly #mustBe: boolean
  readonly #lost: (why: string) => void
  readonly #read: ReturnType<typeof readersOf>
  #size = ''
  #upload: Upload | undefined
  /** The address of the recorder; undefined if there is none. */
  recorder: string | undefined
  /** Why the session is not recorded, or not any more. */
  unrecorded: string | undefined

  private constructor(session: Session, caller: Caller, clock: Clock, lost: (why: string) => void) {
    this.#cast = new Cast(session, caller, clock.date())
    this.#read = readersOf(session.protocol)
    this.#clock = clock
    this.#began = clock.now()
    this.#mustBe = caller.rules.enforcesRecording
    this.#lost = lost
  }

  /**
   * Resolves when a recorder is ready. If there is none, and the policy allows it, the session is not recorded.
   * `lost` is called if the recording breaks off later.
   * @throws Refused 503 if the session must be recorded, and cannot be
   */
  static async begin(
    session: Session,
    caller: Caller,
    { clock, dial }: { readonly clock: Clock; readonly dial: Dial },
    signal: AbortSignal,
    lost: (why: string) => void,
  ): Promise<Recording> {
    const recording = new Recording(session, caller, clock, lost)
    try {
      const connect = connector(dial)
      const reach = (address: string, either: AbortSignal) => reachForRecording(connect, address, either)
      const { address, taken } = await agree(caller.rules.recorders, reach, signal)
      recording.recorder = address
      recording.#upload = new Upload(taken, (reason) => recording.#fail(reason))
    } catch (error) {
      if (caller.rules.enforcesRecording)
        throw new Refused(503, 'recorder', 'the policy wants this session recorded, and no recorder takes it', error)
      recording.unrecorded = describe(error)
    }
    return recording
  }

  /** Resolves when what the container has written may go on. Rejects if it may not. */
  fromServer(chunk: Buffer): Promise<void> {
    return this.#record(this.#read.fromServer, chunk, ({ channel, bytes }) =>
      channel === 'stdout' || channel === 'stderr' ? this.#cast.output(channel, bytes, this.#ms()) : '',
    )
  }

  /** Resolves when what the caller has sent may go on. Rejects if it may not. */
  fromCaller(chunk: Buffer): Promise<void> {
    return this.#record(this.#read.fromCaller, chunk, ({ channel, bytes }) =>
      channel === 'resize' ? this.#resized(bytes) : '',
    )
  }

  /** Resolves when the recorder has all of it, or it has failed. Never rejects. */
  async end(): Promise<void> {
    try {
      await this.#upload?.write(this.#cast.end(this.#ms()))
      await this.#upload?.end()
    } catch (error) {
      this.#fail(error)
    }
  }

  #ms(): number {
    return this.#clock.now() - this.#began
  }

  async #record(read: Read, chunk: Buffer, lines: (piece: Piece) => string): Promise<void> {
    if (this.unrecorded === undefined) {
      try {
        const pieces = await read(chunk)
        if (pieces === undefined) throw new Error('the session is not as documented')
        const text = pieces.map(lines).join('')
        if (text !== '') await this.#upload?.write(text)
      } catch (error) {
        this.#fail(error)
      }
    }
    if (this.#mustBe && this.unrecorded !== undefined) throw new Error(this.unrecorded)
  }

  /** Sizes are objects of JSON one after another, in as many messages as the caller likes. */
  #resized(bytes: Buffer): string {
    const texts = `${this.#size}${bytes.toString('latin1')}`.split('}')
    this.#size = (texts.pop() ?? '').slice(-longestSize)
    return texts
      .map((text) => readSize(text.slice(-longestSize)))
      .map((size) => (size ? this.#cast.resize(size, this.#ms()) : ''))
      .join('')
  }

  #fail(reason: unknown): void {
    if (this.unrecorded !== undefined) return
    this.unrecorded = describe(reason)
    this.#upload?.close()
    this.#lost(this.unrecorded)
  }
}
