import { systemClock } from '../lib/clock.ts'
import { runCheck } from './check/command.ts'
import { type Process, runOperator } from './run.ts'

/** Set by the bundler. */
declare const CULVERT_VERSION: string | undefined

const outside: Process = {
  env: process.env,
  write: (text) => void process.stderr.write(text),
  onSignal: (listener) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => listener(signal))
  },
  onUncaught: (listener) => process.on('uncaughtException', listener),
  clock: systemClock,
  version: typeof CULVERT_VERSION === 'string' ? CULVERT_VERSION : 'unbundled',
}
const [command, ...args] = process.argv.slice(2)
process.exitCode = command === 'check' ? await runCheck(args, outside) : await runOperator(outside)
// Watches and timers that did not end must not keep the container alive.
process.exit()
