import { CulvertError, describe, exitCodeOf } from '../lib/errors.ts'
import { bootLog, type Log } from '../lib/log.ts'
import type { Process as Serving } from '../lib/process.ts'
import { leaveReason } from '../lib/termination-log.ts'
import { aborted } from '../lib/timers.ts'
import { chooseFirewall, prepareKernel } from './lifecycle/kernel.ts'
import { loadSettings } from './lifecycle/load.ts'
import { type Stopper, stopper } from './lifecycle/stop.ts'
import type { Started } from './settings/flags.ts'
import { environmentWarnings, terminationLogPath } from './settings/read.ts'
import { readConfigSecret } from './settings/state.ts'
import { shortTimings, timings as normalTimings } from './world/timings.ts'

/**
 * The process as seen from the agent: only agent/main.ts reads environment and arguments, handles signals and has the
 * real clock.
 */
export type Process = Omit<Serving, 'print' | 'terminationLog'> & {
  /** Flags. */
  readonly args: readonly string[]
  /** The directory of the agent's bundle. */
  readonly home: string
}

/**
 * Runs the agent to its end. Exit codes: 0 after a signal; 1 after a failure, or 2 if that is wrong usage, with a
 * reason that is logged and left for kubelet.
 */
export async function runAgent(outside: Process): Promise<0 | 1 | 2> {
  const { args, onSignal, onUncaught, clock, version, home } = outside
  let started: Started = { env: outside.env, named: (text) => text, hidden: [] }
  const bare = bootLog(outside.write, clock.date)
  const log: Log = (text) => bare(started.named(text))
  const work = new AbortController()
  const force = new AbortController()
  const signalled = Promise.withResolvers<string>()
  const uncaught = Promise.withResolvers<never>()
  let failure: unknown
  // Also during the stop, when nothing awaits it.
  uncaught.promise.catch((error: unknown) => (failure ??= error))
  let signals = 0
  onSignal((signal) => {
    signals += 1
    if (signals === 1) signalled.resolve(`received ${signal}`)
    else force.abort()
  })
  onUncaught((error) => {
    const fault = new CulvertError('internal', `bug in the agent: ${stackOf(error)}`, {
      remedy: 'It stops cleanly and is restarted; please report this line.',
    })
    log(`error: ${describe(fault)}`)
    uncaught.reject(fault)
  })

  log(`culvert agent ${version}`)
  let stop: Stopper | undefined
  const start = async (): Promise<() => Promise<string>> => {
    if (args.length > 0) {
      // Imported on demand: it takes half a MiB, and most agents run without flags.
      const { readFlags } = await import('./settings/flags.ts')
      started = readFlags(args, outside.env)
    }
    const { env, named, hidden } = started
    if (hidden.length > 0) bare(`flags take precedence over the environment; not used: ${hidden.join(', ')}`)
    for (const warning of environmentWarnings(env)) log(`warning: ${warning}`)
    const configSecret = readConfigSecret(env)
    if (configSecret !== undefined) {
      // Imported on demand, like all that asks the Kubernetes API.
      const { configFromSecret } = await import('./device-config/from-secret.ts')
      await configFromSecret({ ...configSecret, log }, work.signal)
      work.signal.throwIfAborted()
    }
    const loaded = await loadSettings(env, home)
    for (const warning of loaded.warnings) log(`warning: ${warning}`)
    work.signal.throwIfAborted()
    const timings = loaded.settings.shortWaits ? shortTimings : normalTimings
    stop = stopper({ log, clock, timings })
    const { signal } = work
    const families = await prepareKernel(loaded.settings, log)
    // The rest of the agent is loaded while nft waits for the kernel.
    const chosen = chooseFirewall(loaded.settings, families, log)
    stop.at('removing the rules', async () => (await chosen.catch(() => undefined))?.firewall.remove())
    const [backend, { compose }] = await Promise.all([Promise.race([chosen, aborted(signal)]), import('./compose.ts')])
    signal.throwIfAborted()
    return compose(loaded, { families, backend, env, named, log, clock, timings, version, stop, signal })
  }
  const composed = start()
  let reason: string
  try {
    const run = async (): Promise<string> => (await composed)()
    reason = await Promise.race([signalled.promise, uncaught.promise, run()])
    log(`${reason}, shutting down`)
  } catch (error) {
    failure = error
    reason = describe(error)
    if (!(error instanceof CulvertError && error.code === 'internal')) log(`error: ${reason}`)
  }
  work.abort()
  await composed.catch(() => {})
  await stop?.run(reason, force.signal)
  if (failure === undefined) return 0
  leaveReason(terminationLogPath(started.env), started.named(describe(failure)), log)
  return exitCodeOf(failure)
}

/** In one line, with the stack. */
const stackOf = (error: unknown): string =>
  (error instanceof Error ? (error.stack ?? error.message) : String(error)).replaceAll(/\s*\n\s*/g, '; ').slice(0, 2000)
