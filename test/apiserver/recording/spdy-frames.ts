import { once } from 'node:events'
import { constants, createDeflate } from 'node:zlib'
import { dictionary } from '../../../apiserver/recording/spdy-dictionary.ts'

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
/** A list of headers as SPDY writes it, without its compression. */
export const headerBlock = (headers: readonly (readonly [string, string])[], count = headers.length): Buffer =>
  Buffer.concat([
    u32(count),
    ...headers.flat().flatMap((text) => [u32(Buffer.byteLength(text, 'latin1')), Buffer.from(text, 'latin1')]),
  ])

export const control = (kind: number, payload: Buffer, { flags = 0, version = 3 } = {}): Buffer => {
  const head = Buffer.alloc(8)
  head.writeUInt16BE(0x8000 | version, 0)
  head.writeUInt16BE(kind, 2)
  head.writeUInt32BE(payload.length, 4)
  head[4] = flags
  return Buffer.concat([head, payload])
}

export const data = (id: number, payload: string | Buffer, flags = 0): Buffer => {
  const bytes = Buffer.from(payload)
  const head = Buffer.concat([u32(id), u32(bytes.length)])
  head[4] = flags
  return Buffer.concat([head, bytes])
}

/** Frames with headers of one direction of a connection, which are compressed one after another. */
export class HeaderFrames {
  readonly #deflate = createDeflate({ dictionary, flush: constants.Z_SYNC_FLUSH })

  async compressed(block: Buffer): Promise<Buffer> {
    this.#deflate.write(block)
    if (this.#deflate.readableLength === 0) await once(this.#deflate, 'readable')
    const chunks: Buffer[] = []
    for (let some: unknown = this.#deflate.read(); some !== null; some = this.#deflate.read())
      chunks.push(some as Buffer)
    return Buffer.concat(chunks)
  }

  /** Opens a stream with these headers, as spdystream does. */
  async open(id: number, ...headers: readonly (readonly [string, string])[]): Promise<Buffer> {
    return control(1, Buffer.concat([u32(id), u32(0), Buffer.of(0, 0), await this.compressed(headerBlock(headers))]))
  }

  /** A frame of another kind with headers. */
  async more(kind: 2 | 8, id: number, ...headers: readonly (readonly [string, string])[]): Promise<Buffer> {
    return control(kind, Buffer.concat([u32(id), await this.compressed(headerBlock(headers))]))
  }
}
