import type { Readable } from 'node:stream'
import type { PerPeer } from '../per-peer.ts'

/** The longest body that is recorded, in bytes: the API server takes none that is longer. */
const longest = 3 * 1024 * 1024

/** A body that has been read to its end; or one that cannot be kept, and from which nothing is missing. */
export type Read = { readonly free: () => void } & (
  | { readonly whole: Buffer }
  | { readonly rest: Readable; readonly isLarge: boolean }
)

/**
 * Reads a body; `room` is memory for those of all peers, in bytes, and `free` gives back what this one has of it. Rejects
 * if the body breaks off.
 */
export function readBody(body: Readable, peer: string, room: PerPeer): Promise<Read> {
  const chunks: Buffer[] = []
  let size = 0
  const free = (): void => {
    room.give(peer, size)
    size = 0
  }
  return new Promise((resolve, reject) => {
    const stop = (): void => void body.off('data', take).off('end', end).off('close', broke)
    const take = (chunk: Buffer): void => {
      chunks.push(chunk)
      const isLarge = size + chunk.length > longest
      if (!isLarge && room.take(peer, chunk.length)) {
        size += chunk.length
        return
      }
      stop()
      body.pause()
      body.unshift(Buffer.concat(chunks))
      resolve({ rest: body, isLarge, free })
    }
    const end = (): void => {
      stop()
      resolve({ whole: Buffer.concat(chunks), free })
    }
    const broke = (): void => {
      stop()
      free()
      reject(new Error('the request broke off'))
    }
    if (body.destroyed) broke()
    else body.on('data', take).on('end', end).on('close', broke)
  })
}
