import { constants } from 'node:fs'
import { open } from 'node:fs/promises'

/**
 * Reads a regular file of at most `limit` bytes.
 * @throws Error, also for anything else at `path`: a pipe would block, a device never ends.
 */
export async function readSmallFile(path: string, limit: number): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const status = await file.stat()
    if (status.isDirectory()) throw new Error('it is a directory, as engines make one for a mount without a source')
    if (!status.isFile()) throw new Error('it is no regular file')
    if (status.size > limit) throw new Error(`it has ${status.size} bytes, and at most ${limit} are read`)
    return await file.readFile()
  } finally {
    await file.close()
  }
}
