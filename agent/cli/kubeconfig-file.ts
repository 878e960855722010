import { constants } from 'node:fs'
import { access, lstat, mkdir, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { codeOf, CulvertError, describe } from '../../lib/errors.ts'
import { readSmallFile } from '../../lib/read-file.ts'
import type { Environment } from '../settings/read.ts'
import type { ConfigFile } from './kubeconfig-merge.ts'

/** Some thousand clusters with their certificates, in bytes. */
const limit = 8 * 1024 * 1024

/**
 * Reads the files that kubectl would read, of which the first takes precedence: those that exist, or else the one that
 * it would make, with an empty text.
 * @throws CulvertError `kubeconfig` for a file that cannot be read.
 */
export async function readFiles(path: string | undefined, env: Environment): Promise<ConfigFile[]> {
  const paths = pathsOf(path, env)
  const texts = await Promise.all(paths.map(read))
  const there = paths.flatMap((one, index) => {
    const text = texts[index]
    return text === undefined ? [] : [{ path: one, text }]
  })
  return there.length > 0 ? there : [{ path: paths.at(-1)!, text: '' }]
}

function pathsOf(path: string | undefined, env: Environment): string[] {
  if (path === '') throw new CulvertError('usage', '--kubeconfig has no value: write --kubeconfig=FILE')
  if (path !== undefined) return [path]
  const listed = (env['KUBECONFIG'] ?? '').split(':').filter((one) => one !== '')
  if (listed.length > 0) return [...new Set(listed)]
  const home = env['HOME'] ?? ''
  if (home === '') throw new CulvertError('usage', 'neither KUBECONFIG nor HOME is set: give --kubeconfig=FILE')
  return [join(home, '.kube/config')]
}

/** The text of a file; undefined if there is none. */
async function read(path: string): Promise<string | undefined> {
  try {
    const bytes = await readSmallFile(path, limit)
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT' && !(await isLink(path))) return undefined
    const what = cause instanceof TypeError ? 'it is not in UTF-8' : describe(cause)
    throw new CulvertError('kubeconfig', `${path} cannot be read: ${what}`)
  }
}

const isLink = async (path: string): Promise<boolean> =>
  (await lstat(path).catch(() => undefined))?.isSymbolicLink() === true

/**
 * Writes files whose texts were `before`. Returns a line for each.
 * @throws CulvertError `kubeconfig` that says which one could not be written; those before it have been.
 */
export async function changeFiles(files: readonly ConfigFile[], before: readonly ConfigFile[]): Promise<string[]> {
  const lines: string[] = []
  for (const { path, text } of files) {
    const old = before.find((one) => one.path === path)?.text ?? ''
    try {
      const backup = await change(path, text, old)
      lines.push(backup === undefined ? `wrote ${path}` : `changed ${path}; as it was before: ${backup}`)
    } catch (cause) {
      const done = lines.map((line) => `${line}; `).join('')
      throw new CulvertError('kubeconfig', `${done}${path} cannot be changed: ${describe(cause)}`)
    }
  }
  return lines
}

/** Replaces a file as a whole, while kubectl does not; returns the path of what it was before. */
async function change(path: string, text: string, before: string): Promise<string | undefined> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const lock = `${path}.lock`
  await (await open(lock, 'wx', 0o600).catch(lockedBy(lock))).close()
  try {
    if (((await read(path)) ?? '') !== before) throw new Error('it has just been changed by another program: try again')
    const target = await realpath(path).catch(() => undefined)
    if (target === undefined) {
      await replace(path, text, undefined)
      return undefined
    }
    await access(target, constants.W_OK)
    const owned = await stat(target)
    const backup = before === '' ? undefined : await keep(target, before, owned)
    await replace(target, text, owned)
    return backup
  } finally {
    await rm(lock, { force: true })
  }
}

const lockedBy =
  (lock: string) =>
  (error: unknown): never => {
    if (codeOf(error) !== 'EEXIST') throw error
    throw new Error(`kubectl is changing it, or has left ${lock}, which can be removed then`)
  }

type Owned = { readonly mode: number; readonly uid: number; readonly gid: number }

async function replace(path: string, text: string, owned: Owned | undefined): Promise<void> {
  const made = `${path}.culvert-new`
  // From a process that was killed; the lock keeps all others away.
  await rm(made, { force: true })
  await write(made, text, owned)
  try {
    await rename(made, path)
  } catch (error) {
    await rm(made, { force: true })
    throw error
  }
}

/** Writes a file that does not exist yet, with mode and owner of another one; nothing is left of it if that fails. */
async function write(path: string, text: string, owned: Owned | undefined): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(text)
    if (owned !== undefined) {
      const { uid, gid } = await file.stat()
      if (uid !== owned.uid || gid !== owned.gid)
        await file.chown(owned.uid, owned.gid).catch((cause: unknown) => {
          throw new Error('a new file would not have its owner and group', { cause })
        })
      await file.chmod(owned.mode & 0o777)
    }
    await file.sync()
  } catch (error) {
    await rm(path, { force: true })
    throw error
  } finally {
    await file.close()
  }
}

/** Keeps a text beside its file. No earlier backup is overwritten, so that nothing is lost however often this runs. */
async function keep(path: string, text: string, owned: Owned): Promise<string> {
  for (let count = 1; ; count += 1) {
    const backup = `${path}.culvert-backup${count === 1 ? '' : `-${count}`}`
    try {
      await write(backup, text, owned)
      return backup
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
      if ((await readFile(backup, 'utf8').catch(() => '')) === text) return backup
    }
  }
}
