import { constants } from 'node:fs'
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import type { Limited } from '../../lib/limit.ts'
import type { Opened, Part } from './store.ts'

/** A file that is open to be appended to, and its length. */
export type Written = { readonly path: string; readonly file: FileHandle; readonly bytes: number }

/** What the folder of a file does for it. */
export type Around = {
  /** In which what was written is flushed to the disk. */
  readonly flush: Limited
  /** Makes the names in the folder survive. */
  readonly syncFolder: () => Promise<void>
  readonly closed: () => void
}

/** A recording that is written to a file, which gets the name `end` when it is finished. */
export class FilePart implements Part {
  readonly key: string
  readonly #file: FileHandle
  readonly #end: string
  readonly #around: Around
  /** The file's present name. */
  readonly #path: string
  #bytes: number
  #isClosed = false

  constructor(key: string, { path, file, bytes }: Written, end: string, around: Around) {
    this.key = key
    this.#path = path
    this.#file = file
    this.#bytes = bytes
    this.#end = end
    this.#around = around
  }

  get bytes(): number {
    return this.#bytes
  }

  read(from: number, to: number): Promise<Buffer> {
    return readAt(this.#file, from, to)
  }

  reopen(): Promise<Opened> {
    return openFile(this.key, this.#path)
  }

  async append(bytes: Buffer): Promise<void> {
    for (let sent = 0; sent < bytes.length;) {
      const { bytesWritten } = await this.#file.write(bytes, sent, bytes.length - sent)
      sent += bytesWritten
      this.#bytes += bytesWritten
    }
  }

  async sync(): Promise<void> {
    await this.#around.flush(() => this.#file.datasync())
    await this.#checkOurs()
  }

  async finish(bytes: number, end: Buffer = Buffer.alloc(0)): Promise<void> {
    if (bytes < this.#bytes) await this.#file.truncate(bytes)
    this.#bytes = bytes
    await this.append(end)
    await this.#around.flush(() => this.#file.sync())
    await this.#checkOurs()
    await rename(this.#path, this.#end)
    await this.#around.syncFolder()
    await this.leave()
  }

  async discard(): Promise<void> {
    try {
      await rm(this.#path, { force: true })
    } finally {
      await this.leave()
    }
  }

  async leave(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#around.closed()
    await this.#file.close()
  }

  /** What was written before counts only if the file still has its name: another recorder may have taken it. */
  async #checkOurs(): Promise<void> {
    const [own, there] = await Promise.all([this.#file.stat(), stat(this.#path).catch(() => undefined)])
    if (there?.ino !== own.ino || there.dev !== own.dev)
      throw new Error('another recorder has taken the directory over')
  }
}

/** Opens a file to be read; a link is refused. */
export async function openFile(key: string, path: string): Promise<Opened> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  const { size } = await file.stat()
  return { key, bytes: size, read: (from, to) => readAt(file, from, to), close: () => file.close() }
}

/** The bytes of a file from `from` up to `to`, fewer at its end. */
async function readAt(file: FileHandle, from: number, to: number): Promise<Buffer> {
  const bytes = Buffer.alloc(Math.max(0, to - from))
  let read = 0
  while (read < bytes.length) {
    const { bytesRead } = await file.read(bytes, read, bytes.length - read, from + read)
    if (bytesRead === 0) break
    read += bytesRead
  }
  return bytes.subarray(0, read)
}
