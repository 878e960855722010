import { describe, exitCodeOf } from '../lib/errors.ts'
import { parseFlags } from '../lib/flags.ts'
import type { Process } from '../lib/process.ts'
import { runApiServer } from './run.ts'

const help = `Usage: culvert-apiserver  run the API server proxy, with the settings of its environment

  --version  print the version
  --help     print this

docs/apiserver-proxy.md lists the environment. Exit codes: 0 after a signal, 1 after a failure, 2 for wrong usage.
`

/** Runs the proxy, or says what it is. Exit codes: 0, 1 after a failure, 2 for wrong usage. */
export async function runProgram(args: readonly string[], outside: Process): Promise<0 | 1 | 2> {
  try {
    const [asked] = parseFlags(args, new Map([['version', 'boolean'] as const, ['help', 'boolean'] as const]))
    if (asked === undefined) return await runApiServer(outside)
    outside.print(asked.name === 'help' ? help : `${outside.version}\n`)
    return 0
  } catch (error) {
    outside.write(`culvert-apiserver: ${describe(error)}\n`)
    return exitCodeOf(error)
  }
}
