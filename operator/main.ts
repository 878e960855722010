import { systemClock } from '../lib/clock.ts'
import { runOperator } from './run.ts'

/** Set by the bundler. */
declare const CULVERT_VERSION: string | undefined

process.exitCode = await runOperator({
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
