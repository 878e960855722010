import { execa } from 'execa'
import { mkdir, mkdtemp, rm, rmdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { CulvertError } from '../../../lib/errors.ts'
import { cacheRoot } from '../paths.ts'
import { tail } from '../run.ts'

/** The directory of images, their layers and archives. */
export const imagesRoot = (): string => join(cacheRoot(), 'images')

/**
 * Namespaces for a command: however it or the process that started it ends, the kernel ends what runs in them and
 * unmounts everything.
 */
export const isolated = [
  'setpriv --pdeathsig KILL --',
  'unshare --mount --propagation=private --pid --fork --kill-child --mount-proc --',
].flatMap((words) => words.split(' '))

/** Directories that buildah always writes to; it sees empty ones instead. */
const elsewhere = ['/var/lib/containers', '/run/containers'] as const
const hiding = [...elsewhere.map((directory) => `mount -t tmpfs culvert-lab ${directory}`), 'exec "$@"'].join(' && ')

const overlayMagic = 0x794c7630

/**
 * Runs buildah to its end and returns its output. Its images are in the cache, its working files in a directory that is
 * removed afterwards. `note` is called with each step of a Dockerfile.
 * @throws CulvertError `command` with the last lines that it printed.
 */
export async function buildah(
  args: readonly string[],
  note: (detail: string) => void = () => undefined,
): Promise<string> {
  const root = imagesRoot()
  await mkdir(root, { recursive: true })
  const scratch = await mkdtemp(join(root, 'run-'))
  await Promise.all(elsewhere.map((directory) => mkdir(directory, { recursive: true })))
  try {
    // An overlay cannot be mounted on an overlay, which is what the disk of a container is.
    const driver = (await statfs(root)).type === overlayMagic ? 'vfs' : 'overlay'
    const where = ['--root', join(root, 'storage'), '--runroot', scratch, '--storage-driver', driver]
    const [program = '', ...rest] = [...isolated, 'sh', '-c', hiding, 'sh', 'buildah', ...where, ...args]
    const options = {
      env: { TMPDIR: scratch },
      stdin: 'ignore',
      reject: false,
      all: true,
      timeout: buildLimit,
    } as const
    const child = execa(program, rest, options)
    for await (const line of child.iterable({ from: 'all' })) if (line.includes('STEP ')) note(line.slice(0, 100))
    const { exitCode, stdout, all, timedOut } = await child
    if (exitCode === 0) return stdout
    const how = timedOut ? `took longer than ${buildLimit / 60_000} minutes` : 'failed'
    throw new CulvertError('command', `buildah ${args[0]} ${how}:\n${tail(all, 20)}`)
  } finally {
    await rm(scratch, { recursive: true, force: true })
    // Those that are not empty belong to somebody else.
    await Promise.allSettled(elsewhere.map((directory) => rmdir(directory)))
  }
}

/** The time limit of a build in milliseconds: it fetches packages. */
export const buildLimit = 20 * 60_000
