import { systemClock } from '../lib/clock.ts'
import { runProgram } from './program.ts'

/** Set by the bundler. */
declare const CULVERT_VERSION: string | undefined

process.exitCode = await runProgram(process.argv.slice(2), {
  env: process.env,
  write: (text) => void process.stderr.write(text),
  onSignal: (listener) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => listener(signal))
  },
  onUncaught: (listener) => process.on('uncaughtException', listener),
  clock: systemClock,
  terminationLog: '/dev/termination-log',
  version: typeof CULVERT_VERSION === 'string' ? CULVERT_VERSION : 'unbundled',
})
// Watches and timers that did not end must not keep the container alive.
process.exit()
