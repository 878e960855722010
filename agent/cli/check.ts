import { systemClock } from '../../lib/clock.ts'
import { lineOf } from '../../lib/finding.ts'
import { check, type Checked } from '../check/check.ts'
import { readTransfer } from '../check/transfer.ts'
import { readFlags } from '../settings/flags.ts'
import { ask } from './ask.ts'
import { commands } from './commands.ts'

/**
 * Looks for what is wrong, and prints the findings. `socket`: that of the running agent. Exit codes: 0 if nothing is, 1
 * for a warning or an error.
 * @throws CulvertError `usage` for a flag whose value does not fit
 */
export async function runCheck(
  given: ReadonlyMap<string, string>,
  { env, home, print }: Pick<Checked, 'env' | 'home'> & { readonly print: (text: string) => Promise<void> },
  socket: string,
): Promise<0 | 1> {
  const isBefore = given.get('preflight') === 'true'
  const target = given.get('transfer')
  const transfer = target === undefined ? undefined : readTransfer(target)
  const flags = [...given].flatMap(([name, value]) => (name in commands.check.flags ? [] : [`--${name}=${value}`]))
  // That they can be read is known before anything is asked.
  readFlags(flags, env)
  const findings = await check({
    flags,
    env,
    home,
    clock: systemClock,
    transfer,
    ask,
    socket: isBefore ? undefined : socket,
  })
  const lines = findings.map((finding) => `${lineOf(finding)}\n`)
  await print(given.get('json') === 'true' ? `${JSON.stringify(findings, null, 2)}\n` : lines.join(''))
  return findings.some(({ level }) => level === 'warning' || level === 'error') ? 1 : 0
}
