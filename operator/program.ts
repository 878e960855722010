import { CulvertError, describe } from '../lib/errors.ts'
import { absentCommand } from '../lib/flags.ts'
import { cleanupHelp, readCleanup } from './cleanup/command.ts'
import { runCleanup } from './cleanup/run.ts'
import { type Process, runOperator } from './run.ts'

const help = `Usage: culvert-operator          run the operator, with the settings of its environment
       culvert-operator cleanup  remove all that it has made; cleanup --help says how

docs/operator-settings.md lists the environment.
`

/** Runs the operator, or another of its commands. Exit codes: 0, 1 after a failure, 2 for wrong usage. */
export async function runProgram(args: readonly string[], outside: Process): Promise<0 | 1 | 2> {
  const [command, ...rest] = args
  if (command === undefined) return runOperator(outside)
  const isAsked = [command, ...rest].includes('--help')
  try {
    if (command !== 'cleanup' && !isAsked) throw absentCommand(command, ['cleanup'])
    if (isAsked) outside.write(command === 'cleanup' ? cleanupHelp : help)
    return isAsked ? 0 : await runCleanup(outside, readCleanup(rest))
  } catch (error) {
    outside.write(`culvert-operator: ${describe(error)}\n`)
    return error instanceof CulvertError && error.code === 'usage' ? 2 : 1
  }
}
