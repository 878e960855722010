import { execa } from 'execa'
import { CulvertError } from './errors.ts'

export type CommandOptions = {
  readonly input?: string
  readonly signal?: AbortSignal
  /** Milliseconds after which the program is ended and the call rejects. */
  readonly timeoutMs?: number
}

/** Runs one program to its end and gives what it printed on stdout. */
export type RunCommand = (program: string, args: readonly string[], options?: CommandOptions) => Promise<string>

/** Output beyond this is cut, which no reader takes for a whole listing. */
const maxBuffer = 512 * 1024 * 1024

/**
 * Runs `program` without a shell.
 * @throws CulvertError `command` when it cannot be started, fails or takes too long; the message has what it said on
 *   stderr, never its arguments or input, which may hold secrets.
 */
export const runCommand: RunCommand = async (program, args, { input, signal, timeoutMs = 30_000 } = {}) => {
  const result = await execa(program, args, {
    reject: false,
    timeout: timeoutMs,
    maxBuffer,
    stripFinalNewline: false,
    ...(input !== undefined && { input }),
    ...(signal && { cancelSignal: signal }),
  })
  if (!result.failed) return result.stdout
  if (result.code === 'ENOENT') {
    throw new CulvertError('command', `${program} is not installed`, {
      remedy: `Add the package with ${program} to the image, or its folder to PATH.`,
    })
  }
  const said = (typeof result.stderr === 'string' ? result.stderr : '').trim().slice(0, 2000)
  const how = result.timedOut
    ? `took longer than ${timeoutMs / 1000} s`
    : result.isMaxBuffer
      ? 'printed too much'
      : result.signal
        ? `was ended by ${result.signal}`
        : `failed with exit code ${result.exitCode ?? result.code ?? 'unknown'}`
  throw new CulvertError('command', `${program} ${how}${said === '' ? '' : `: ${said}`}`)
}
