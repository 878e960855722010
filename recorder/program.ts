import { describe, exitCodeOf } from '../lib/errors.ts'
import type { Process } from '../lib/process.ts'
import { runRecorder } from './run.ts'
import { allVariables, withFlags } from './settings.ts'

const width = 2 + Math.max(...allVariables.map(({ flags: [flag] }) => flag.length))

const help = `Usage: culvert-recorder --dir=DIRECTORY                   keep the sessions that nodes of the tailnet record
       culvert-recorder --dir=s3://HOST --bucket=BUCKET  the same in S3

${allVariables.map(({ name, flags: [flag] }) => `  --${flag.padEnd(width)}  ${name}`).join('\n')}

  --version  print the version
  --help     print this

docs/recorder.md says what each is for. Exit codes: 0 after a signal, 1 after a failure, 2 for wrong usage.
`

/** Runs the recorder, or says what it is. Exit codes: 0, 1 after a failure, 2 for wrong usage. */
export async function runProgram(args: readonly string[], outside: Process): Promise<0 | 1 | 2> {
  const [only] = args
  if (args.length === 1 && (only === '--help' || only === '--version')) {
    outside.print(only === '--help' ? help : `${outside.version}\n`)
    return 0
  }
  try {
    return await runRecorder({ ...outside, env: withFlags(outside.env, args) })
  } catch (error) {
    outside.write(`culvert-recorder: ${describe(error)}\n`)
    return exitCodeOf(error)
  }
}
