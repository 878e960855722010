import { type Channel, channels, type Piece } from './channels.ts'
import { HeaderBlocks } from './spdy-headers.ts'

/** Bytes of a frame's head, and the most that are kept of a frame: those that have headers. */
const [headBytes, mostBytes] = [8, 64 * 1024]
/** More than a session has. */
const mostStreams = 100

/** The frames with headers: how many bytes come before these. Each counts, since they are compressed together. */
const beforeHeaders: ReadonlyMap<number, number> = new Map([
  [1, 10],
  [2, 4],
  [8, 4],
])
const synStream = 1

type Kept = { readonly kind: number; readonly chunks: Buffer[] }

/** The streams of a connection by their numbers. */
export type Streams = Map<number, Channel>

/**
 * Reads one direction of a connection of SPDY/3.1 from a copy of its bytes, however they are cut: what is on which
 * stream. Only the caller opens streams, and says by a header what each is for; of the server, headers do not matter.
 * What could be understood in two ways is not understood at all.
 */
export class SpdyReader {
  readonly #streams: Streams
  /** Of the caller. */
  readonly #blocks: HeaderBlocks | undefined
  #head = Buffer.alloc(0)
  /** Of the frame: how many bytes are left, and whose data they are. */
  #left = 0
  #channel: Channel | undefined
  /** Of a frame with headers: its kind, and what has come of it. */
  #kept: Kept | undefined
  #last = 0
  #isBroken = false

  /** @param isCaller whether these are the bytes of the caller, whose streams are put into `streams` */
  constructor(streams: Streams, isCaller: boolean) {
    this.#streams = streams
    this.#blocks = isCaller ? new HeaderBlocks(mostBytes) : undefined
  }

  /** The pieces in these bytes; undefined from the moment when they cannot be read any more. */
  async read(chunk: Buffer): Promise<Piece[] | undefined> {
    const pieces: Piece[] = []
    let rest = chunk
    while (!this.#isBroken && rest.length > 0) {
      if (this.#left > 0) {
        const some = rest.subarray(0, this.#left)
        this.#left -= some.length
        rest = rest.subarray(some.length)
        if (this.#channel !== undefined) pieces.push({ channel: this.#channel, bytes: some })
        this.#kept?.chunks.push(Buffer.from(some))
        if (this.#kept && this.#left === 0) await this.#readHeaders(this.#kept)
        continue
      }
      const some = rest.subarray(0, headBytes - this.#head.length)
      this.#head = Buffer.concat([this.#head, some])
      rest = rest.subarray(some.length)
      if (this.#head.length < headBytes) break
      this.#isBroken = !this.#begin(this.#head)
      this.#head = Buffer.alloc(0)
    }
    return this.#isBroken ? undefined : pieces
  }

  /** Whether a frame may begin like this. */
  #begin(head: Buffer): boolean {
    const first = head.readUInt32BE(0)
    this.#left = head.readUIntBE(5, 3)
    this.#kept = undefined
    this.#channel = undefined
    if (first < 0x8000_0000) {
      this.#channel = this.#streams.get(first)
      return this.#channel !== undefined
    }
    const kind = first & 0xffff
    if (first >>> 16 !== 0x8003) return false
    const before = beforeHeaders.get(kind)
    if (before === undefined) return true
    if (this.#blocks === undefined) return kind !== synStream
    this.#kept = { kind, chunks: [] }
    return this.#left > before && this.#left <= mostBytes
  }

  async #readHeaders({ kind, chunks }: Kept): Promise<void> {
    const payload = Buffer.concat(chunks)
    this.#kept = undefined
    const headers = await this.#blocks?.read(payload.subarray(beforeHeaders.get(kind)))
    if (headers === undefined) this.#isBroken = true
    else if (kind === synStream) this.#isBroken = !this.#open(payload.readUInt32BE(0), headers.get('streamtype'))
  }

  /** Whether a stream may be opened: one more of a kind that is known. */
  #open(id: number, type: string | undefined): boolean {
    const channel = channels.find((one) => one === type)
    const isNext = id % 2 === 1 && id > this.#last && id < 0x8000_0000
    if (channel === undefined || !isNext || this.#streams.size >= mostStreams) return false
    this.#last = id
    this.#streams.set(id, channel)
    return true
  }
}
