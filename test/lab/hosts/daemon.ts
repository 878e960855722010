import { readFileSync } from 'node:fs'
import { CulvertError } from '../../../lib/errors.ts'
import { startDetached } from '../namespaces/detached.ts'
import { enter } from '../namespaces/enter.ts'
import { argvOf, childrenOf, identify, type Proc } from '../namespaces/procs.ts'
import { poll } from '../poll.ts'
import { tail } from '../run.ts'

/**
 * Starts a program that belongs to the bed: it outlives this process, ends with the namespaces of `holder`, and prints
 * to the file `log`. Returns once it runs. Throws CulvertError `command` when it ended before.
 */
export async function startDaemon(
  holder: number,
  argv: readonly string[],
  options: { readonly env: Record<string, string>; readonly log: string },
): Promise<Proc> {
  const helper = startDetached([...enter(holder), ...argv], options.log, options.env)
  const pid = await poll(`the start of ${argv[0]}`, () => {
    if (helper.pid === undefined || helper.ended()) throw endedEarly(argv, options.log)
    return childrenOf(helper.pid).find((one) => {
      const [program] = argvOf(one)
      return program !== undefined && program !== 'nsenter'
    })
  })
  return identify(pid)
}

/** The error for a daemon that ended while it was waited for, with its last lines, as its log may be removed next. */
export function endedEarly(argv: readonly string[], log: string): CulvertError {
  return new CulvertError('command', `${argv[0]} ended:\n${tail(readFileSync(log, 'utf8').trim(), 10)}`)
}
