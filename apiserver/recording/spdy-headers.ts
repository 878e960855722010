import { constants, createInflate } from 'node:zlib'
import { dictionary } from './spdy-dictionary.ts'

/**
 * Reads the headers of one direction of a SPDY connection, which are compressed as one stream: each block needs all
 * that were before it.
 */
export class HeaderBlocks {
  readonly #mostBytes: number
  readonly #inflate = createInflate({ dictionary, flush: constants.Z_SYNC_FLUSH })
  #chunks: Buffer[] = []
  #size = 0
  #isBroken = false

  /** @param mostBytes of a block, without the compression */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes
    this.#inflate.on('error', () => (this.#isBroken = true))
    this.#inflate.on('data', (chunk: Buffer) => {
      this.#size += chunk.length
      this.#chunks.push(chunk)
      if (this.#size > mostBytes) this.#inflate.destroy()
    })
  }

  /** The headers of the next block; undefined from the first on that cannot be read. */
  async read(block: Buffer): Promise<ReadonlyMap<string, string> | undefined> {
    if (this.#isBroken) return undefined
    this.#chunks = []
    this.#size = 0
    await new Promise<unknown>((resolve) => {
      // What fails is never written.
      this.#inflate.once('close', resolve)
      this.#inflate.write(block, () => {
        this.#inflate.off('close', resolve)
        resolve(undefined)
      })
    })
    const headers = this.#isBroken || this.#size > this.#mostBytes ? undefined : parse(Buffer.concat(this.#chunks))
    this.#isBroken = headers === undefined
    return headers
  }
}

/** Exactly so many names with values; each name once, and with one value. */
function parse(block: Buffer): ReadonlyMap<string, string> | undefined {
  const headers = new Map<string, string>()
  let at = 4
  const text = (): string | undefined => {
    if (at + 4 > block.length) return undefined
    const begin = at + 4
    at = begin + block.readUInt32BE(at)
    return at <= block.length ? block.toString('latin1', begin, at) : undefined
  }
  if (block.length < at) return undefined
  for (let left = block.readUInt32BE(0); left > 0; left -= 1) {
    const [name, value] = [text(), text()]
    const isGood = name !== undefined && /^[\x21-\x40\x5b-\x7e]+$/.test(name) && value?.includes('\0') === false
    if (!isGood || headers.has(name)) return undefined
    headers.set(name, value)
  }
  return at === block.length ? headers : undefined
}
