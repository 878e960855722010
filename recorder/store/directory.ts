import { constants, type Dirent } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, opendir, rename, rm, rmdir, stat, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { codeOf } from '../../lib/errors.ts'
import { limited } from '../../lib/limit.ts'
import { isEventKey, isRecordingKey } from '../keys.ts'
import { FilePart, openFile } from './file-part.ts'
import type { Part, Store, Stored } from './store.ts'

/**
 * What a file of a recording ends with while it is written, and while one that was left unfinished is being finished.
 * Nothing else begins with a dot after `.cast`.
 */
export const [writing, taken] = ['.part', '.taken']

/** Only for this user: recordings may show secrets. */
const [folderMode, fileMode] = [0o700, 0o600]

/** Node has four threads for files, of which a slow disk must not take all. */
const [atOnce, readsAtOnce] = [2, 4]

/** How often a file is begun whose folder goes away. */
const mostAttempts = 10

/**
 * Keeps everything in a directory, by keys that are paths in it; links in it are left out. Two recorders with one
 * directory take each other's unfinished recordings, but no byte that was reported as stored gets lost.
 */
export function directoryStore(root: string): Store {
  const flush = limited(atOnce)
  /** Paths of what is being written here. */
  const busy = new Set<string>()
  const pathOf = (key: string): string => join(root, key)

  const syncFolder = (path: string): Promise<void> =>
    flush(async () => {
      const folder = await open(path, constants.O_RDONLY)
      try {
        await folder.sync()
      } finally {
        await folder.close()
      }
    })

  /** Makes a folder, and the ones that it is in. */
  const makeFolder = async (path: string): Promise<void> => {
    const first = await mkdir(path, { recursive: true, mode: folderMode })
    if (first === undefined) return
    for (let made = path; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made))
  }

  const partOf = (key: string, path: string, file: FileHandle, bytes: number): Part => {
    busy.add(path)
    return new FilePart(key, { path, file, bytes }, pathOf(key), {
      flush,
      syncFolder: () => syncFolder(dirname(path)),
      closed: () => busy.delete(path),
    })
  }

  /** Folders may be removed at any moment, if they are empty. */
  const create = async (path: string): Promise<FileHandle> => {
    for (let attempts = 1; ; attempts += 1) {
      try {
        await makeFolder(dirname(path))
        return await open(path, 'ax+', fileMode)
      } catch (error) {
        if (codeOf(error) !== 'ENOENT' || attempts === mostAttempts) throw error
      }
    }
  }

  const list = async function* (): AsyncGenerator<Stored> {
    for await (const { key, path } of filesIn(root)) {
      if (key.endsWith(writing) || key.endsWith(taken)) continue
      const found = await stat(path).catch(ignoring('ENOENT'))
      if (found) yield { key, bytes: found.size, modified: found.mtime }
    }
  }

  return {
    begin: async (key) => {
      const path = `${pathOf(key)}${writing}`
      // Neither the one that is written nor the finished one.
      if (await lstat(pathOf(key)).catch(ignoring('ENOENT'))) throw existing(key)
      const part = partOf(key, path, await create(path), 0)
      try {
        await syncFolder(dirname(path))
        return part
      } catch (error) {
        await part.discard()
        throw error
      }
    },
    put: async (key, bytes) => {
      const path = pathOf(key)
      const part = `${path}${writing}`
      const file = await create(part)
      busy.add(part)
      try {
        await file.writeFile(bytes)
        await flush(() => file.sync())
        await rename(part, path)
      } catch (error) {
        await rm(part, { force: true })
        throw error
      } finally {
        busy.delete(part)
        await file.close()
      }
      await syncFolder(dirname(path))
    },
    unfinished: async function* () {
      for await (const { key, path } of filesIn(root)) {
        if (busy.has(path) || !(key.endsWith(writing) || key.endsWith(taken))) continue
        const own = key.slice(0, key.lastIndexOf('.'))
        // An event that was not reported as stored.
        if (isEventKey(own)) await rm(path, { force: true })
        // What else there is belongs to others.
        if (!isRecordingKey(own)) continue
        const ours = `${pathOf(own)}${taken}`
        // From now on, whoever still writes it cannot report anything as stored.
        if (path !== ours) await rename(path, ours)
        const file = await open(ours, constants.O_RDWR | constants.O_APPEND | constants.O_NOFOLLOW)
        yield partOf(own, ours, file, (await file.stat()).size)
      }
    },
    list,
    open: (key) => openFile(key, pathOf(key)),
    remove: async (key) => {
      await rm(pathOf(key), { force: true })
      // Folders of nodes stay; those of days would be more and more.
      if (key.split('/').length > 2) await rmdir(dirname(pathOf(key))).catch(ignoring('ENOTEMPTY', 'ENOENT'))
    },
    free: async () => {
      const { bavail, bsize } = await statfs(root)
      return bavail * bsize
    },
    readsAtOnce,
  }
}

const existing = (key: string): Error => Object.assign(new Error(`there is a file ${key} already`), { code: 'EEXIST' })

/** Takes errors of the system with these codes for no result. */
const ignoring =
  (...codes: readonly string[]) =>
  (error: unknown): undefined => {
    if (!codes.includes(codeOf(error) ?? '')) throw error
  }

/** All files below a folder, at any depth. */
async function* filesIn(root: string, prefix = ''): AsyncGenerator<{ readonly key: string; readonly path: string }> {
  const folder = await opendir(join(root, prefix)).catch(ignoring('ENOENT', 'EACCES'))
  if (!folder) return
  const entries: Dirent[] = []
  for await (const entry of folder) entries.push(entry)
  for (const entry of entries) {
    const key = `${prefix}${entry.name}`
    if (entry.isDirectory()) yield* filesIn(root, `${key}/`)
    else if (entry.isFile()) yield { key, path: join(root, key) }
  }
}
