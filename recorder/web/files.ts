import type { Opened } from '../store/store.ts'
import type { Reply } from '../reply.ts'
import { common } from './headers.ts'

/** How much is read at once, in bytes. */
const atOnce = 256 * 1024

/** The header that says of a recording that there will be more of it. */
const goesOn = { 'culvert-recording': 'open' } as const

/**
 * Answers with a recording or an event as it is stored, from byte `from` on, to be kept as a file. Closes it. `isOpen`: it
 * is still being written.
 */
export async function sendFile(
  reply: Pick<Reply, 'begin' | 'pour'>,
  file: Opened,
  { from, isOpen }: { readonly from: number; readonly isOpen: boolean },
): Promise<void> {
  const type = file.key.endsWith('.cast') ? 'application/x-asciicast' : 'application/json'
  try {
    reply.begin(200, {
      ...common,
      'content-type': type,
      'content-length': Math.max(0, file.bytes - from),
      ...(isOpen && goesOn),
      // Keys have no characters that would have to be escaped, but some that no name of a file may have everywhere.
      'content-disposition': `attachment; filename="${file.key.replaceAll(/[/:]/g, '_')}"`,
    })
    await reply.pour(chunksOf(file, from))
  } finally {
    await file.close()
  }
}

async function* chunksOf({ bytes, read }: Opened, from: number): AsyncGenerator<Buffer> {
  for (let at = from; at < bytes;) {
    const chunk = await read(at, Math.min(bytes, at + atOnce))
    if (chunk.length === 0) throw new Error('the file has become shorter')
    yield chunk
    at += chunk.length
  }
}
