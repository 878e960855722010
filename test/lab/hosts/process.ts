import { execa } from 'execa'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { CulvertError } from '../../../lib/errors.ts'
import { enter } from '../namespaces/enter.ts'
import { argvOf, childrenOf, signal as send } from '../namespaces/procs.ts'
import { patience } from '../patience.ts'
import { poll } from '../poll.ts'
import { LineLog } from './lines.ts'

export type Exit = { readonly code: number | undefined; readonly signal: NodeJS.Signals | undefined }

export type SpawnOptions = {
  /** The whole environment of the process. */
  readonly env: Record<string, string>
  /** Its name in messages. */
  readonly name: string
  /** Working directory, as named inside the host. */
  readonly cwd?: string
  /** The process whose network it has; the host's when left out. */
  readonly network?: number
}

/** The kernel ends what follows this as soon as its parent is gone, for whatever reason. */
const tied = ['setpriv', '--pdeathsig', 'KILL', '--']

/** A command that runs inside a host and ends with the process that started it. */
export function tiedInside(holder: number, argv: readonly string[], place: Parameters<typeof enter>[1]): string[] {
  return [...tied, ...enter(holder, place), ...tied, ...argv]
}

/** A process that runs inside a host until it ends or is stopped. It dies with the process that started it. */
export class HostProcess {
  readonly name: string
  /** Its number on this side: /proc/<pid> is its own, and not that of a helper. */
  readonly pid: number
  readonly exited: Promise<Exit>
  /** Its output, standard output and error in the order of arrival. */
  readonly output: LineLog
  /** The helper between this process and the actual one. */
  readonly #helper: number
  #exit: Exit | undefined

  private constructor(name: string, pid: number, helper: number, output: LineLog, exited: Promise<Exit>) {
    this.name = name
    this.pid = pid
    this.output = output
    this.#helper = helper
    this.exited = exited
    void exited.then((exit) => (this.#exit = exit))
  }

  /** Starts `argv` and returns once it runs. A missing program shows as an exit with code 127. */
  static async start(holder: number, argv: readonly string[], options: SpawnOptions): Promise<HostProcess> {
    const [file = '', ...args] = tiedInside(holder, argv, options)
    const child = execa(file, args, {
      stdin: 'ignore',
      buffer: false,
      reject: false,
      env: options.env,
      extendEnv: false,
    })
    const helper = child.pid
    if (helper === undefined) throw new CulvertError('command', `${options.name}: ${(await child).message}`)
    const output = new LineLog(options.name)
    const follow = (stream: Readable, from: 'stdout' | 'stderr'): Promise<void> =>
      new Promise((resolve) => {
        const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })
        lines.on('line', (line) => output.push(line, from)).on('close', resolve)
      })
    const read = Promise.all([follow(child.stdout, 'stdout'), follow(child.stderr, 'stderr')])
    let ended = false
    const exited = child.then(async ({ exitCode, signal }): Promise<Exit> => {
      ended = true
      await read
      output.end(`ended with ${signal ?? `exit code ${exitCode}`}`)
      return { code: exitCode, signal }
    })
    const pid = await poll(`the start of ${options.name}`, () => (ended ? helper : realChild(helper)), 1)
    return new HostProcess(options.name, pid, helper, output, exited)
  }

  /** True until it has ended. */
  get running(): boolean {
    return this.#exit === undefined
  }

  /** The last lines it printed. */
  get log(): readonly string[] {
    return this.output.tail
  }

  /** Waits for a line, also one that was printed already. Rejects when the process ends first. */
  async line(pattern: RegExp, timeout = patience): Promise<RegExpExecArray> {
    return await this.output.find(pattern, timeout)
  }

  /** Sends a signal to the actual process. */
  kill(name: NodeJS.Signals = 'SIGTERM'): void {
    if (!this.running) return
    send(this.pid, name)
    // A stopped child stops its helper with it, and the helper would stay stopped: it could not even notice the child's
    // end.
    if (name !== 'SIGSTOP') send(this.#helper, 'SIGCONT')
  }

  /** Sends SIGTERM, SIGKILL after `grace` milliseconds, and returns how it ended. */
  async stop(grace = 30_000): Promise<Exit> {
    this.kill('SIGTERM')
    const insist = setTimeout(() => this.kill('SIGKILL'), grace)
    try {
      return await this.exited
    } finally {
      clearTimeout(insist)
    }
  }
}

/** The process that runs the requested program itself, once it does. */
function realChild(helper: number): number | undefined {
  const [child] = childrenOf(helper)
  if (child === undefined) return undefined
  const argv = argvOf(child)
  const preparing = argv.length === 0 || argv[0] === 'nsenter' || tied.every((word, at) => argv[at] === word)
  return preparing ? undefined : child
}
