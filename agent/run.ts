import { CulvertError, describe, exitCodeOf } from '../lib/errors.ts'
import { readLogSettings } from '../lib/log-settings.ts'
import { type Log, openLog, reworded } from '../lib/log.ts'
import { processEvents } from '../lib/process-events.ts'
import type { Process as Serving } from '../lib/process.ts'
import { leaveReason } from '../lib/termination-log.ts'
import { aborted } from '../lib/timers.ts'
import { chooseFirewall, prepareKernel } from './lifecycle/kernel.ts'
import { loadSettings } from './lifecycle/load.ts'
import { type Stopper, stopper } from './lifecycle/stop.ts'
import { events } from './log-events.ts'
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
  const open = () =>
    openLog(
      'agent',
      readLogSettings((name) => started.env[name]),
      outside,
    )
  let out = open()
  const log: Log = (event) => out.log(reworded(event, started.named))
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
    log(events.bug({ problem: fault }))
    uncaught.reject(fault)
  })

  let stop: Stopper | undefined
  const start = async (): Promise<() => Promise<string>> => {
    try {
      if (args.length > 0) {
        // Imported on demand: it takes half a MiB, and most agents run without flags.
        const { readFlags } = await import('./settings/flags.ts')
        started = readFlags(args, outside.env)
        out = open()
      }
    } finally {
      log(events.begins({ version }))
    }
    const { env, named, hidden } = started
    if (hidden.length > 0) out.log(events.hiddenVariables({ variables: hidden.join(', ') }))
    for (const problem of environmentWarnings(env)) log(events.setting({ problem }))
    const configSecret = readConfigSecret(env)
    if (configSecret !== undefined) {
      // Imported on demand, like all that asks the Kubernetes API.
      const { configFromSecret } = await import('./device-config/from-secret.ts')
      await configFromSecret({ ...configSecret, log }, work.signal)
      work.signal.throwIfAborted()
    }
    const loaded = await loadSettings(env, home)
    for (const problem of loaded.warnings) log(events.setting({ problem }))
    work.signal.throwIfAborted()
    const { carry } = out
    const timings = loaded.settings.shortWaits ? shortTimings : normalTimings
    stop = stopper({ log, clock, timings })
    const { signal } = work
    const families = await prepareKernel(loaded.settings, log)
    // The rest of the agent is loaded while nft waits for the kernel.
    const chosen = chooseFirewall(loaded.settings, families, log)
    stop.at('removing the rules', async () => (await chosen.catch(() => undefined))?.firewall.remove())
    const [backend, { compose }] = await Promise.all([Promise.race([chosen, aborted(signal)]), import('./compose.ts')])
    signal.throwIfAborted()
    return compose(loaded, { families, backend, args, env, named, log, carry, clock, timings, version, stop, signal })
  }
  const composed = start()
  let reason: string
  try {
    const run = async (): Promise<string> => (await composed)()
    reason = await Promise.race([signalled.promise, uncaught.promise, run()])
    log(processEvents.ends({ reason }))
  } catch (error) {
    failure = error
    reason = describe(error)
    if (!(error instanceof CulvertError && error.code === 'internal')) log(processEvents.failed({ problem: reason }))
  }
  work.abort()
  await composed.catch(() => {})
  await stop?.run(reason, force.signal)
  if (failure !== undefined) leaveReason(terminationLogPath(started.env), started.named(describe(failure)), log)
  out.flush()
  return failure === undefined ? 0 : exitCodeOf(failure)
}

/** In one line, with the stack. */
const stackOf = (error: unknown): string =>
  (error instanceof Error ? (error.stack ?? error.message) : String(error)).replaceAll(/\s*\n\s*/g, '; ').slice(0, 2000)
