import type { Readable } from 'node:stream'
import { codeOf, CulvertError, describe } from './errors.ts'
import { type Program, startProgram } from './program.ts'

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

/** Runs a program to its end and gives its stdout. */
export type RunCommand = (program: string, args: readonly string[], options?: CommandOptions) => Promise<string>

/** Runs a predefined program to its end, with this input. */
export type Feed = (input: string) => Promise<string>

/** A program that prints more is killed; the largest listing we read is a tenth of it. */
const maxOutputBytes = 256 * 1024 * 1024

/**
 * Runs `program` without a shell.
 * @throws CommandError when it cannot be started, fails or takes too long; the message has what it said on stderr,
 *   never its arguments or input, which may hold secrets.
 */
export const runCommand: RunCommand = (program, args, options) => start(program, args).finish(options)

/** Milliseconds before the process for the next input is started, so that urgent work comes first. */
const restMs = 10

/**
 * Runs `program` once for each input, as `runCommand` does. After the first run a process already waits for the next
 * input, so that no run has to wait for a fork, which takes longer the more memory this process has. The program must
 * do nothing before it has read its input, and nothing for an empty one.
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

/** A running program that waits for its input, if it reads any. */
type Started = Pick<Program, 'keepsUsAlive'> & {
  readonly finish: (options?: CommandOptions) => Promise<string>
  readonly ended: () => boolean
}

function start(program: string, args: readonly string[]): Started {
  const running = startProgram(program, args, { input: 'pipe', output: 'pipe' })
  let [over, late, flooded] = [false, 0, false]
  const kill = (): void => running.kill('SIGKILL')
  const flood = (): void => {
    flooded = true
    kill()
  }
  const stdout = collect(running.stdout, flood)
  const stderr = collect(running.stderr, flood)
  const printed = running.ended.then((ending) => {
    over = true
    if ('exitCode' in ending && ending.exitCode === 0) return stdout()
    if ('unstarted' in ending) throw notStarted(program, ending.unstarted)
    throw failed(program, ending, stderr().trim().slice(0, 2000), flooded, late)
  })
  // Its failure must not count as unhandled while nobody awaits it.
  printed.catch(() => {})
  // A program that ends without reading its input is judged by its exit code alone.
  running.stdin?.on('error', () => {})
  return {
    finish: ({ input = '', timeoutMs = 30_000 } = {}) => {
      const timer = setTimeout(() => {
        late = timeoutMs
        kill()
      }, timeoutMs)
      running.stdin?.end(input)
      return printed.finally(() => clearTimeout(timer))
    },
    ended: () => over,
    keepsUsAlive: running.keepsUsAlive,
  }
}

/** Collects the output up to the limit; gives it as text on request. */
function collect(stream: Readable | null, flood: () => void): () => string {
  const parts: Buffer[] = []
  let bytes = 0
  stream?.on('data', (part: Buffer) => {
    bytes += part.length
    if (bytes <= maxOutputBytes) parts.push(part)
    else {
      parts.length = 0
      flood()
    }
  })
  return () => Buffer.concat(parts).toString()
}

function notStarted(program: string, reason: unknown): CommandError {
  if (codeOf(reason) !== 'ENOENT') return new CommandError(`${program} could not be started: ${describe(reason)}`)
  return new CommandError(
    `${program} is not installed`,
    { notInstalled: true },
    { remedy: `Add the package with ${program} to the image, or its folder to PATH.` },
  )
}

function failed(
  program: string,
  ending: { readonly exitCode: number } | { readonly signal: NodeJS.Signals },
  stderr: string,
  flooded: boolean,
  late: number,
): CommandError {
  const how = flooded
    ? 'printed too much'
    : late > 0
      ? `took longer than ${late / 1000} s`
      : 'signal' in ending
        ? `was ended by ${ending.signal}`
        : `failed with exit code ${ending.exitCode}`
  const message = `${program} ${how}${stderr === '' ? '' : `: ${stderr}`}`
  return new CommandError(message, { ...ending, stderr, timedOut: late > 0 })
}
