import { type ChildProcess, type ExecFileException, execFile } from 'node:child_process'
import { CulvertError } from './errors.ts'

export type CommandOptions = {
  readonly input?: string
  /** Milliseconds after which the program is killed and the call rejects. */
  readonly timeoutMs?: number
}

/** How a program failed; a field is undefined where it does not apply. */
export type CommandFailure = {
  readonly exitCode?: number | undefined
  /** The first 2000 characters. */
  readonly stderr?: string
  readonly timedOut?: boolean
  /** The signal that ended it. */
  readonly signal?: NodeJS.Signals | undefined
  readonly notInstalled?: boolean
}

/** A program that could not be started, failed or took too long. */
export class CommandError extends CulvertError {
  readonly exitCode: number | undefined
  readonly stderr: string
  readonly timedOut: boolean
  readonly signal: NodeJS.Signals | undefined
  readonly notInstalled: boolean

  constructor(message: string, failure: CommandFailure = {}, options: { cause?: unknown; remedy?: string } = {}) {
    super('command', message, options)
    this.name = 'CommandError'
    this.exitCode = failure.exitCode
    this.stderr = failure.stderr ?? ''
    this.timedOut = failure.timedOut ?? false
    this.signal = failure.signal
    this.notInstalled = failure.notInstalled ?? false
  }
}

/** Runs one program to its end and gives what it printed on stdout. */
export type RunCommand = (program: string, args: readonly string[], options?: CommandOptions) => Promise<string>

/** Runs a program that was chosen before to its end, with this as its input. */
export type Feed = (input: string) => Promise<string>

/** A program that prints more is killed: no listing that is read here is a tenth of it. */
const maxBuffer = 256 * 1024 * 1024

/**
 * Runs `program` without a shell.
 * @throws CommandError when it cannot be started, fails or takes too long; the message has what it said on stderr,
 *   never its arguments or input, which may hold secrets.
 */
export const runCommand: RunCommand = (program, args, options) => start(program, args).finish(options)

/** What follows from a run is done first: milliseconds until the process for the next one is started. */
const restMs = 10

/**
 * Runs `program` once for each input, as `runCommand` does. After the first time a process of it waits for the next
 * input, so that this does not wait for a fork, which takes the longer the more memory this process has. The program
 * must do nothing before it has read its input, and nothing with an empty one.
 */
export function runAhead(program: string, args: readonly string[]): Feed {
  let waiting: Started | undefined
  const prepare = (): void => {
    waiting ??= start(program, args)
    waiting.keepsUsAlive(false)
  }
  return async (input) => {
    const ready = waiting?.ended() === false ? waiting : start(program, args)
    waiting = undefined
    ready.keepsUsAlive(true)
    const printed = await ready.finish({ input })
    setTimeout(prepare, restMs).unref()
    return printed
  }
}

/** A program that runs and waits for its input, if it reads any. */
type Started = {
  readonly finish: (options?: CommandOptions) => Promise<string>
  readonly ended: () => boolean
  /** Whether this process goes on as long as the program does. */
  readonly keepsUsAlive: (does: boolean) => void
}

function start(program: string, args: readonly string[]): Started {
  let [over, late] = [false, 0]
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  // Nobody may be waiting for it yet.
  promise.catch(() => {})
  let child: ChildProcess
  try {
    child = execFile(program, args, { maxBuffer, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      over = true
      if (error === null) resolve(stdout)
      else reject(commandError(program, error, stderr.trim().slice(0, 2000), late))
    })
  } catch (error) {
    // Most reasons not to start are given to the callback, but a lack of memory or too long an argument is thrown.
    reject(new CommandError(`${program} could not be started`, {}, { cause: error }))
    return { finish: () => promise, ended: () => true, keepsUsAlive: () => {} }
  }
  // A program that ends without reading its input is judged by its exit code.
  child.stdin?.on('error', () => {})
  return {
    finish: ({ input = '', timeoutMs = 30_000 } = {}) => {
      const timer = setTimeout(() => {
        late = timeoutMs
        child.kill('SIGKILL')
      }, timeoutMs)
      child.stdin?.end(input)
      return promise.finally(() => clearTimeout(timer))
    },
    ended: () => over,
    keepsUsAlive: (does) => {
      const parts: (object | null | undefined)[] = [child, child.stdin, child.stdout, child.stderr]
      for (const part of parts.filter(isCounted)) {
        if (does) part.ref()
        else part.unref()
      }
    },
  }
}

/** What keeps a process alive: a child, and the pipes to it, which are sockets. */
const isCounted = (part: object | null | undefined): part is { readonly ref: () => void; readonly unref: () => void } =>
  part != null && 'ref' in part

function commandError(program: string, error: ExecFileException, stderr: string, late: number): CommandError {
  if (error.code === 'ENOENT') {
    return new CommandError(
      `${program} is not installed`,
      { notInstalled: true },
      { remedy: `Add the package with ${program} to the image, or its folder to PATH.` },
    )
  }
  const exitCode = typeof error.code === 'number' ? error.code : undefined
  const signal = error.signal ?? undefined
  const how =
    error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER'
      ? 'printed too much'
      : late > 0
        ? `took longer than ${late / 1000} s`
        : signal !== undefined
          ? `was ended by ${signal}`
          : exitCode !== undefined
            ? `failed with exit code ${exitCode}`
            : `could not be started: ${String(error.code)}`
  const message = `${program} ${how}${stderr === '' ? '' : `: ${stderr}`}`
  return new CommandError(message, { exitCode, stderr, timedOut: late > 0, signal })
}
