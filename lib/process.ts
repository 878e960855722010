import { type Clock, systemClock } from './clock.ts'
import { CulvertError, describe } from './errors.ts'
import type { Log } from './log.ts'
import { leaveReason } from './termination-log.ts'
import { processEvents } from './process-events.ts'

/** Set by the bundler. */
declare const CULVERT_VERSION: string | undefined

/** The process as seen from a program that serves: only its main.ts reads the environment, and handles signals. */
export type Process = {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly write: (line: string) => void
  /** Writes to the standard output what is no log. */
  readonly print: (text: string) => void
  readonly onSignal: (listener: (signal: NodeJS.Signals) => void) => void
  /** Uncaught errors: a bug in the program. */
  readonly onUncaught: (listener: (error: unknown) => void) => void
  readonly clock: Clock
  readonly version: string
  /** The file from which kubelet takes the reason of an end. */
  readonly terminationLog: string
}

/** What a program sees of Node's process, which only a main.ts hands over. */
export const outsideOf = (node: NodeJS.Process): Process => ({
  env: node.env,
  write: (text) => void node.stderr.write(text),
  print: (text) => void node.stdout.write(text),
  onSignal: (listener) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) node.on(signal, () => listener(signal))
  },
  onUncaught: (listener) => node.on('uncaughtException', listener),
  clock: systemClock,
  terminationLog: '/dev/termination-log',
  version: typeof CULVERT_VERSION === 'string' ? CULVERT_VERSION : 'unbundled',
})

/**
 * What may end `program`: the first signal, with words that say so; a further one, which hurries; and an uncaught error,
 * by which `uncaught` rejects.
 */
export function endings({ onSignal, onUncaught }: Pick<Process, 'onSignal' | 'onUncaught'>, program: string) {
  const signalled = Promise.withResolvers<string>()
  const forced = Promise.withResolvers<void>()
  const uncaught = Promise.withResolvers<never>()
  // While it ends, nothing awaits it.
  uncaught.promise.catch(() => {})
  let signals = 0
  onSignal((signal) => {
    signals += 1
    if (signals === 1) signalled.resolve(`received ${signal}`)
    else forced.resolve()
  })
  onUncaught((error) => {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
    uncaught.reject(new CulvertError('internal', `bug in the ${program}: ${stack.slice(0, 2000)}`))
  })
  return { signalled: signalled.promise, forced: forced.promise, uncaught: uncaught.promise }
}

/** Says why a program ends, in the log and to kubelet; gives its exit code. */
export function failed(error: unknown, { terminationLog }: Pick<Process, 'terminationLog'>, log: Log): 1 {
  log(processEvents.failed({ problem: error }))
  leaveReason(terminationLog, describe(error), log)
  return 1
}
