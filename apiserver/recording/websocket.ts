/** Some bytes of a message on a channel of Kubernetes. */
export type Numbered = { readonly number: number; readonly bytes: Buffer }

/** The longest head of a frame, in bytes. */
const longestHead = 14

/**
 * Reads one direction of a WebSocket (RFC 6455) from a copy of its bytes, however they are cut. A message's first byte
 * is its channel, and the rest comes in pieces as they arrive, so that nothing is kept but the head of a frame.
 */
export class WebSocketReader {
  readonly #isMasked: boolean
  #head = Buffer.alloc(0)
  #mask: Buffer | undefined
  /** Of the frame: how many bytes are left, how many were read, and whether it is of a message. */
  #left = 0
  #read = 0
  #isData = false
  /** Within a message, of which more frames follow; and its channel when that was read. */
  #isOpen = false
  #channel: number | undefined
  #isBroken = false

  /** @param isMasked whether these are the bytes of a client */
  constructor(isMasked: boolean) {
    this.#isMasked = isMasked
  }

  /** The pieces in these bytes; undefined from the moment when they are no WebSocket any more. */
  read(chunk: Buffer): Numbered[] | undefined {
    const pieces: Numbered[] = []
    let rest = chunk
    while (!this.#isBroken && rest.length > 0) {
      if (this.#left > 0) {
        const some = rest.subarray(0, this.#left)
        rest = rest.subarray(some.length)
        this.#take(some, pieces)
        continue
      }
      const before = this.#head.length
      const head = Buffer.concat([this.#head, rest.subarray(0, longestHead - before)])
      const size = this.#sizeOf(head)
      if (size > head.length) {
        this.#head = head
        return pieces
      }
      rest = rest.subarray(size - before)
      this.#head = Buffer.alloc(0)
      this.#isBroken = !this.#begin(head.subarray(0, size))
    }
    return this.#isBroken ? undefined : pieces
  }

  /** How long the head is that begins like this. */
  #sizeOf(head: Buffer): number {
    if (head.length < 2) return 2
    const code = head[1]! & 0x7f
    return 2 + (code === 127 ? 8 : code === 126 ? 2 : 0) + (this.#isMasked ? 4 : 0)
  }

  /** Whether a frame may begin like this here. */
  #begin(head: Buffer): boolean {
    const [first, second] = [head[0]!, head[1]!]
    const [opcode, code] = [first & 0x0f, second & 0x7f]
    const isFinal = first >= 0x80
    const isControl = opcode >= 8
    const length = code === 127 ? head.readBigUInt64BE(2) : code === 126 ? head.readUInt16BE(2) : code
    if ((first & 0x70) !== 0 || second >= 0x80 !== this.#isMasked || length > Number.MAX_SAFE_INTEGER) return false
    // Continuations belong to a message, and only they do.
    if (isControl ? opcode > 10 || !isFinal || code > 125 : opcode > 2 || (opcode === 0) !== this.#isOpen) return false
    this.#left = Number(length)
    this.#read = 0
    this.#mask = this.#isMasked ? Buffer.from(head.subarray(-4)) : undefined
    this.#isData = !isControl
    if (isControl) return true
    if (opcode !== 0) this.#channel = undefined
    this.#isOpen = !isFinal
    return true
  }

  #take(some: Buffer, pieces: Numbered[]): void {
    this.#left -= some.length
    const mask = this.#mask
    const offset = this.#read
    this.#read += some.length
    if (!this.#isData) return
    const plain = mask ? some.map((byte, index) => byte ^ mask[(offset + index) % 4]!) : some
    const bytes = this.#channel === undefined ? plain.subarray(1) : plain
    this.#channel ??= plain[0]!
    pieces.push({ number: this.#channel, bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) })
  }
}
