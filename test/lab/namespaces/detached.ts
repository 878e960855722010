import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'

export type Detached = {
  /** Undefined when it could not be started at all. */
  readonly pid: number | undefined
  readonly ended: () => boolean
}

/**
 * Starts a program that outlives this process and appends its output to the file `log`.
 * Not through execa, which ends what it starts together with this process.
 */
export function startDetached(argv: readonly string[], log: string, env?: Record<string, string>): Detached {
  const [file = '', ...args] = argv
  const output = openSync(log, 'a', 0o600)
  const child = spawn(file, args, {
    stdio: ['ignore', output, output],
    detached: true,
    cwd: '/',
    ...(env === undefined ? {} : { env }),
  })
  closeSync(output)
  let ended = false
  const end = (): void => {
    ended = true
  }
  child.on('error', end).on('exit', end).unref()
  return { pid: child.pid, ended: () => ended }
}
