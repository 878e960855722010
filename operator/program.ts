import { describe, exitCodeOf } from '../lib/errors.ts'
import { absentCommand } from '../lib/flags.ts'
import { runCheck } from './check/command.ts'
import { cleanupHelp, readCleanup } from './cleanup/command.ts'
import { runCleanup } from './cleanup/run.ts'
import { runDevices } from './devices/command.ts'
import { runMigrate } from './migrate/command.ts'
import type { Process } from '../lib/process.ts'
import { runOperator } from './run.ts'

const help = `Usage: culvert-operator          run the operator, with the settings of its environment
       culvert-operator check    look at the cluster and the tailnet, and say what to do; check --help says how
       culvert-operator cleanup  remove all that it has made; cleanup --help says how
       culvert-operator devices  list what is in the tailnet and known nowhere, and remove it; devices --help says how
       culvert-operator migrate  say what it would change if it took over from Tailscale's; migrate --help says how
       culvert-operator --version  print the version

docs/operator-settings.md lists the environment.
`

/** Runs the operator, or another of its commands. Exit codes: 0, 1 after a failure, 2 for wrong usage. */
export async function runProgram(args: readonly string[], outside: Process): Promise<0 | 1 | 2> {
  const [command, ...rest] = args
  if (command === undefined) return runOperator(outside)
  if (command === 'check') return runCheck(rest, outside)
  if (command === '--version') {
    outside.print(`${outside.version}\n`)
    return 0
  }
  if (command === 'migrate') return runMigrate(rest, outside)
  if (command === 'devices') return runDevices(rest, outside)
  const isAsked = [command, ...rest].includes('--help')
  try {
    if (command !== 'cleanup' && !isAsked) throw absentCommand(command, ['check', 'cleanup', 'devices', 'migrate'])
    if (isAsked) outside.write(command === 'cleanup' ? cleanupHelp : help)
    return isAsked ? 0 : await runCleanup(outside, readCleanup(rest))
  } catch (error) {
    outside.write(`culvert-operator: ${describe(error)}\n`)
    return exitCodeOf(error)
  }
}
