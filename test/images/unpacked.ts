import { existsSync } from 'node:fs'
import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isolated } from '../lab/images/buildah.ts'
import { unpack, withImages } from '../lab/images/builder.ts'
import { run, type Ran } from '../lab/run.ts'

/** Milliseconds for a build with an empty cache. */
export const coldBuild = 1_800_000

/** Mounts what a container engine provides, and runs the program. */
const mounting = 'mount --bind /dev "$1/dev" && mount -t proc proc "$1/proc" && exec chroot "$@"'

/** The files of an image, unpacked into a directory. */
export class Unpacked implements AsyncDisposable {
  readonly root: string

  private constructor(root: string) {
    this.root = root
  }

  /** Unpacks an image, by its name or digest. */
  static async of(image: string): Promise<Unpacked> {
    const root = await mkdtemp(join(tmpdir(), 'culvert-image-'))
    // Some tests run programs as another user.
    await chmod(root, 0o755)
    await withImages(
      () => undefined,
      () => filesOf(image, root),
    )
    return new Unpacked(root)
  }

  /** Runs a program of the image as the first process of a container that shares the test's network. */
  async run(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
    const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
    const argvInside = [...isolated, 'sh', '-c', mounting, 'sh', this.root, ...argv]
    return await run(argvInside, { env: { PATH: path, ...env }, check: false })
  }

  /** Replaces the agent by another program for Node; the agent is moved to `/agent.js`. */
  async replaceAgent(program: string): Promise<void> {
    const agent = join(this.root, 'usr/local/lib/culvert/agent.js')
    await rename(agent, join(this.root, 'agent.js'))
    await writeFile(agent, program)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.root, { recursive: true, force: true })
  }
}

/** Writes the files of an image to a directory. In a run of all tests those of a digest are copied, which is faster. */
async function filesOf(image: string, root: string): Promise<void> {
  const folder = process.env['CULVERT_TEST_IMAGES']
  if (!folder || !image.startsWith('sha256:')) return unpack(image, root)
  const files = join(folder, image.replace(':', '-'))
  if (!existsSync(files)) {
    await unpack(image, `${files}.new`)
    await rename(`${files}.new`, files)
  }
  await run(['cp', '--archive', `${files}/.`, root])
}

/** A program for Node that prints its arguments. */
export const printsArguments = 'console.log(`Node: ${JSON.stringify(process.argv.slice(2))}`); process.exit(7)\n'

/** The result of `printsArguments`. */
export const leftToNode = (...args: string[]): Ran => ({
  stdout: `Node: ${JSON.stringify(args)}`,
  stderr: '',
  exitCode: 7,
})
