import { type ChildProcess, type ExecFileException, execFile } from 'node:child_process'
import type { Socket } from 'node:net'
import { CulvertError } from './errors.ts'

export type CommandOptions = {
  readonly input?: string
  /** Milliseconds after which the program is killed and the call rejects. */
  readonly timeoutMs?: number
}

/** Runs one program to its end and gives what it printed on stdout. */
export type RunCommand = (program: string, args: readonly string[], options?: CommandOptions) => Promise<string>

/** Runs a program that was chosen before to its end, with this as its input. */
export type Feed = (input: string) => Promise<string>

/** A program that prints more is killed: no listing that is read here is a tenth of it. */
const maxBuffer = 512 * 1024 * 1024

/**
 * Runs `program` without a shell.
 * @throws CulvertError `command` when it cannot be started, fails or takes too long; the message has what it said on
 *   stderr, never its arguments or input, which may hold secrets.
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
  const child = execFile(program, args, { maxBuffer, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
    over = true
    if (error === null) resolve(stdout)
    else reject(failure(program, error, stderr.trim().slice(0, 2000), late))
  })
  // Nobody may be waiting for it yet.
  promise.catch(() => {})
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
      for (const part of [child, child.stdin, child.stdout, child.stderr] as (ChildProcess | Socket | null)[]) {
        if (does) part?.ref()
        else part?.unref()
      }
    },
  }
}

function failure(program: string, error: ExecFileException, said: string, late: number): CulvertError {
  if (error.code === 'ENOENT') {
    return new CulvertError('command', `${program} is not installed`, {
      remedy: `Add the package with ${program} to the image, or its folder to PATH.`,
    })
  }
  const how =
    error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER'
      ? 'printed too much'
      : late > 0
        ? `took longer than ${late / 1000} s`
        : error.signal
          ? `was ended by ${error.signal}`
          : `failed with ${typeof error.code === 'number' ? `exit code ${error.code}` : String(error.code)}`
  return new CulvertError('command', `${program} ${how}${said === '' ? '' : `: ${said}`}`)
}
