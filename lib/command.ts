import { type ExecFileException, execFile } from 'node:child_process'
import { CulvertError } from './errors.ts'

export type CommandOptions = {
  readonly input?: string
  readonly signal?: AbortSignal
  /** Milliseconds after which the program is killed and the call rejects. */
  readonly timeoutMs?: number
}

/** Runs one program to its end and gives what it printed on stdout. */
export type RunCommand = (program: string, args: readonly string[], options?: CommandOptions) => Promise<string>

/** A program that prints more is killed: no listing that is read here is a tenth of it. */
const maxBuffer = 512 * 1024 * 1024

/**
 * Runs `program` without a shell.
 * @throws CulvertError `command` when it cannot be started, fails or takes too long; the message has what it said on
 *   stderr, never its arguments or input, which may hold secrets.
 */
export const runCommand: RunCommand = (program, args, { input = '', signal, timeoutMs = 30_000 } = {}) =>
  new Promise((resolve, reject) => {
    const options = { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer, ...(signal && { signal }) } as const
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(failure(program, error, stderr.trim().slice(0, 2000), timeoutMs))
    })
    // A program that ends without reading its input is judged by its exit code.
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })

function failure(program: string, error: ExecFileException, said: string, timeoutMs: number): CulvertError {
  if (error.code === 'ENOENT') {
    return new CulvertError('command', `${program} is not installed`, {
      remedy: `Add the package with ${program} to the image, or its folder to PATH.`,
    })
  }
  const how =
    error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER'
      ? 'printed too much'
      : error.killed === true
        ? `took longer than ${timeoutMs / 1000} s`
        : error.signal
          ? `was ended by ${error.signal}`
          : `failed with ${typeof error.code === 'number' ? `exit code ${error.code}` : String(error.code)}`
  return new CulvertError('command', `${program} ${how}${said === '' ? '' : `: ${said}`}`)
}
