import { existsSync, writeFileSync } from 'node:fs'
import { describe } from '../lib/errors.ts'
import { bootLog, type Log } from '../lib/log.ts'
import { compose } from './compose.ts'
import { loadSettings } from './lifecycle/load.ts'
import { type Environment, terminationLogPath } from './settings/read.ts'
import { stopAgent, type Stoppable } from './lifecycle/stop.ts'

/** The outside of the process: nothing else of the agent reads the environment or hears signals. */
export type Process = {
  readonly env: Environment
  readonly write: (line: string) => void
  readonly onSignal: (listener: (signal: NodeJS.Signals) => void) => void
  readonly version: string
}

/** Runs the agent to its end. Exit codes: 0 after a signal, 1 with a reason that is logged and left for kubelet. */
export async function runAgent({ env, write, onSignal, version }: Process): Promise<0 | 1> {
  const log = bootLog(write, () => new Date())
  const work = new AbortController()
  const hurry = new AbortController()
  const parts: Stoppable = { work, servers: [], facets: [] }
  const signalled = Promise.withResolvers<string>()
  let signals = 0
  onSignal((signal) => {
    signals += 1
    if (signals === 1) signalled.resolve(`received ${signal}`)
    else hurry.abort()
  })

  log(`culvert agent ${version}`)
  let composing: Promise<unknown> = Promise.resolve()
  let failure: unknown
  try {
    const composed = loadSettings(env).then(({ settings, warnings, config }) => {
      for (const warning of warnings) log(`warning: ${warning}`)
      work.signal.throwIfAborted()
      return compose(settings, { env, log, version, config, parts, signal: work.signal })
    })
    composing = composed.catch(() => {})
    const reason = await Promise.race([signalled.promise, composed.then((run) => run())])
    log(`${reason}, shutting down`)
    parts.store?.update((world) => ({ ...world, stopping: reason }))
  } catch (error) {
    failure = error
    log(`error: ${describe(error)}`)
    parts.store?.update((world) => ({ ...world, stopping: describe(error) }))
  }
  work.abort()
  await composing
  await stopAgent(parts, log, hurry.signal)
  if (failure === undefined) return 0
  leaveReason(terminationLogPath(env), describe(failure), log)
  return 1
}

/** Kubelet shows the text in the container's status. The file is never created: where it is absent nobody reads it. */
function leaveReason(path: string, reason: string, log: Log): void {
  if (!existsSync(path)) return
  try {
    writeFileSync(path, reason.slice(0, 4096))
  } catch (error) {
    log(`warning: the reason cannot be left in ${path}: ${describe(error)}`)
  }
}
