import { type Clock, systemClock } from './clock.ts'
import { CulvertError, describe } from './errors.ts'
import { type Log, openLog } from './log.ts'
import type { LogEvent } from './log-event.ts'
import type { LogSettings } from './log-settings.ts'
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

/** A program that serves, once it has begun. */
export type Service = {
  /** Takes nothing new, and lets what is under way go on for a while. */
  readonly drain: () => Promise<unknown>
  /** Ends in good order what still goes on, before the signal of the program aborts. */
  readonly cut?: () => Promise<unknown>
  readonly close: () => Promise<unknown>
}

export type Serving = {
  /** Its name in lines of the log, and in words. */
  readonly source: string
  readonly called: string
  readonly logs: LogSettings
  readonly begins: LogEvent
  readonly warnings: readonly LogEvent[]
  readonly start: (log: Log, signal: AbortSignal) => Promise<Service>
}

/** Runs a program to its end. Exit codes: 0 after a signal, 1 after a failure, with a reason that is logged. */
export async function runService(outside: Process, serving: Serving): Promise<0 | 1> {
  const { log, flush } = openLog(serving.source, serving.logs, outside)
  const { signalled, forced, uncaught } = endings(outside, serving.called)
  log(serving.begins)
  const over = new AbortController()
  try {
    for (const warning of serving.warnings) log(warning)
    const service = await serving.start(log, over.signal)
    try {
      log(processEvents.ends({ reason: await Promise.race([signalled, uncaught]) }))
      await Promise.race([service.drain(), forced, uncaught])
    } finally {
      await service.cut?.()
      over.abort()
      await service.close()
    }
    return 0
  } catch (error) {
    return failed(error, outside, log)
  } finally {
    flush()
  }
}
