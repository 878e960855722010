import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { apart } from '../lab/images/buildah.ts'
import { unpack, withImages } from '../lab/images/builder.ts'
import { run, type Ran } from '../lab/run.ts'

/** Milliseconds for a build that finds nothing in the cache. */
export const coldBuild = 600_000

/** What an engine gives a container. */
const mounting = 'mount --bind /dev "$1/dev" && mount -t proc proc "$1/proc" && exec chroot "$@"'

/** The files of an image, unpacked into a directory of their own. */
export class Unpacked implements AsyncDisposable {
  readonly root: string

  private constructor(root: string) {
    this.root = root
  }

  /** Of an image by its name or digest. */
  static async of(image: string): Promise<Unpacked> {
    const root = await mkdtemp(join(tmpdir(), 'culvert-image-'))
    // Not every program in it runs as root.
    await chmod(root, 0o755)
    await withImages(
      () => undefined,
      () => unpack(image, root),
    )
    return new Unpacked(root)
  }

  /** Runs a program of the image as the first process of a container, but for its network: that is the test's. */
  async run(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
    const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
    const argvInside = [...apart, 'sh', '-c', mounting, 'sh', this.root, ...argv]
    return await run(argvInside, { env: { PATH: path, ...env }, check: false })
  }

  /** Puts a program of Node's in the agent's place, which goes to `/agent.js`. */
  async replaceAgent(program: string): Promise<void> {
    const agent = join(this.root, 'usr/local/lib/culvert/agent.js')
    await rename(agent, join(this.root, 'agent.js'))
    await writeFile(agent, program)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.root, { recursive: true, force: true })
  }
}

/** Says with which arguments it was started. */
export const tellsArguments = 'console.log(`Node: ${JSON.stringify(process.argv.slice(2))}`); process.exit(7)\n'

/** What `tellsArguments` gives. */
export const leftToNode = (...args: string[]): Ran => ({
  stdout: `Node: ${JSON.stringify(args)}`,
  stderr: '',
  exitCode: 7,
})
