import type { Store } from '../store/store.ts'
import type { Reply } from '../reply.ts'
import { common } from './headers.ts'

/** How much is read at once, in bytes. */
const atOnce = 256 * 1024

type Opened = Awaited<ReturnType<Store['open']>>

/** Answers with a recording or an event as it is stored, to be kept as a file. Closes it. */
export async function sendFile(reply: Pick<Reply, 'begin' | 'pour'>, file: Opened): Promise<void> {
  const type = file.key.endsWith('.cast') ? 'application/x-asciicast' : 'application/json'
  try {
    reply.begin(200, {
      ...common,
      'content-type': type,
      'content-length': file.bytes,
      // Keys have no characters that would have to be escaped, but some that no name of a file may have everywhere.
      'content-disposition': `attachment; filename="${file.key.replaceAll(/[/:]/g, '_')}"`,
    })
    await reply.pour(chunksOf(file))
  } finally {
    await file.close()
  }
}

async function* chunksOf({ bytes, read }: Opened): AsyncGenerator<Buffer> {
  for (let from = 0; from < bytes;) {
    const chunk = await read(from, Math.min(bytes, from + atOnce))
    if (chunk.length === 0) throw new Error('the file has become shorter')
    yield chunk
    from += chunk.length
  }
}
