import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'

export type Detached = {
  /** Undefined when it could not be started at all. */
  readonly pid: number | undefined
  readonly ended: () => boolean
}

/**
 * Starts a program that outlives this process and prints to the end of the file `log`.
 * Not through execa, which supervises what it starts and ends it with this process: here nobody is left to supervise.
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
