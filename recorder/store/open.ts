import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Clock } from '../../lib/clock.ts'
import { codeOf, CulvertError } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { s3Remote } from '../s3/remote.ts'
import type { Settings } from '../settings.ts'
import { directoryStore } from './directory.ts'
import { type Spool, spooledStore } from './spooled.ts'
import type { Store } from './store.ts'

/**
 * Opens what the settings say; the spool is undefined if a directory is all there is.
 * @throws CulvertError `settings` if the directory cannot be made, or a file of the settings not be read
 */
export async function openStore(
  { directory, s3 }: Pick<Settings, 'directory' | 's3'>,
  clock: Clock,
  log: Log,
): Promise<{ readonly store: Store; readonly spool: Spool | undefined }> {
  try {
    await makeDirectory(directory)
  } catch (cause) {
    throw new CulvertError('settings', `the directory ${directory} cannot be made`, { cause })
  }
  const store = directoryStore(directory)
  if (s3 === undefined) return { store, spool: undefined }
  // A megabyte, which nothing else needs.
  const remote = s3Remote(s3, await import('../s3/sdk.ts'), clock)
  const spooled = await spooledStore({ spool: store, remote, mostBytes: s3.mostBytes, clock, log })
  return { store: spooled, spool: spooled }
}

/** With those above it. Node's own way has no end where nothing can be made, as in /proc. */
async function makeDirectory(path: string): Promise<void> {
  const make = (): Promise<void> =>
    mkdir(path, { mode: 0o700 }).catch(async (error: unknown) => {
      if (codeOf(error) !== 'EEXIST' || !(await stat(path)).isDirectory()) throw error
    })
  try {
    await make()
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || dirname(path) === path) throw error
    await makeDirectory(dirname(path))
    await make()
  }
}
