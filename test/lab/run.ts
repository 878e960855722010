import { execa, type Options } from 'execa'
import { CulvertError } from '../../lib/errors.ts'
import { patience } from './patience.ts'

export type Ran = { readonly stdout: string; readonly stderr: string; readonly exitCode: number }

export type RunOptions = {
  /** Milliseconds after which the program is killed; `patience` when left out. */
  readonly timeout?: number
  readonly input?: string
  /** A file to read from instead. */
  readonly inputFile?: string
  readonly cwd?: string
  /** The whole environment of the program; this process's own when left out. */
  readonly env?: Record<string, string>
  /** The purpose of the program, used in the error. */
  readonly doing?: string
  /** With `false` a non-zero exit is returned instead of thrown. */
  readonly check?: boolean
}

/**
 * Runs a program to its end, without a shell. Throws CulvertError `command` when it cannot be started, is killed, takes
 * too long, or (unless `check` is false) exits with something other than 0; the message has the end of its output.
 */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const [file, ...args] = argv
  if (file === undefined) throw new CulvertError('command', 'an empty command cannot be run')
  const timeout = options.timeout ?? patience
  const settings: Options = {
    reject: false,
    timeout,
    stripFinalNewline: true,
    ...(options.input === undefined && options.inputFile === undefined ? { stdin: 'ignore' } : {}),
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(options.inputFile === undefined ? {} : { inputFile: options.inputFile }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env, extendEnv: false }),
  }
  const result = await execa(file, args, settings)
  const stdout = String(result.stdout ?? '')
  const stderr = String(result.stderr ?? '')
  const exitCode = result.exitCode
  if (exitCode !== undefined && (exitCode === 0 || options.check === false)) return { stdout, stderr, exitCode }
  const how = result.timedOut
    ? `took longer than ${timeout} ms`
    : exitCode === undefined
      ? (result.signal ?? result.originalMessage ?? 'could not be started')
      : `exit ${exitCode}`
  const output = tail(`${stdout}\n${stderr}`.trim(), 20)
  throw new CulvertError('command', `${options.doing ?? argv.join(' ')}: ${how}${output === '' ? '' : `\n${output}`}`)
}

/** The last `lines` lines of a text. */
export function tail(text: string, lines: number): string {
  return text.split('\n').slice(-lines).join('\n')
}
