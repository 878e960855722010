import { systemClock } from '../lib/clock.ts'
import { runApiServer } from './run.ts'

/** Set by the bundler. */
declare const CULVERT_VERSION: string | undefined

process.exitCode = await runApiServer({
  env: process.env,
  write: (text) => void process.stderr.write(text),
  writeAudit: (line) => void process.stdout.write(line),
  onSignal: (listener) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => listener(signal))
  },
  onUncaught: (listener) => process.on('uncaughtException', listener),
  clock: systemClock,
  terminationLog: '/dev/termination-log',
  version: typeof CULVERT_VERSION === 'string' ? CULVERT_VERSION : 'unbundled',
})
// What is still open must not keep the container alive.
process.exit()
