import { backoff } from '../../lib/backoff.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { LocalApi, TaggedApi } from '../../localapi/client.ts'
import { type Reconciler, runReconciler, type RunningReconciler } from './reconciler.ts'
import type { Store } from './store.ts'
import type { Timings } from './timings.ts'
import { working } from './log-events.ts'

/** What every part of the agent gets. */
export type Context = {
  readonly store: Store
  readonly api: LocalApi & TaggedApi
  readonly log: Log
  readonly timings: Timings
  readonly clock: Clock
  /** Aborts when the agent begins to stop: parts end, and no new work is started. */
  readonly signal: AbortSignal
  /**
   * Runs a reconciler until then.
   * @throws Error if one with this key is already running: they would overwrite each other's reports.
   */
  readonly run: <Desired>(reconciler: Reconciler<Desired>) => RunningReconciler
  /**
   * Runs lasting work until then. If it fails it is restarted after a growing pause, so that an error in one part does
   * not end the others.
   */
  readonly background: (name: string, work: () => Promise<void>) => void
}

/** The side of a context that concerns the agent as a whole. */
export type Reconcilers = {
  /** Reconcilers whose attempt has lasted longer than `ms`: every limit within it is shorter. */
  readonly stuck: (ms: number) => string[]
  /** Resolves when all have come to rest after the signal aborted. */
  readonly finished: () => Promise<unknown>
}

type Parts = Omit<Context, 'run' | 'background'>

export function createContext(parts: Parts): { readonly context: Context; readonly reconcilers: Reconcilers } {
  const { store, log, timings, clock, signal } = parts
  const running: RunningReconciler[] = []
  const write = store.writer('reports')
  const background: Context['background'] = (name, work) => {
    const pause = backoff(timings.retryFirst, timings.retryCap)
    const keepGoing = async (): Promise<void> => {
      while (!signal.aborted) {
        const began = clock.now()
        try {
          await work()
          return
        } catch (error) {
          if (signal.aborted) return
          if (clock.now() - began > timings.retryCap) pause.reset()
          const ms = pause.next()
          log(working.begunAgain({ work: name, ms, problem: error }))
          await clock.sleep(ms, signal)
        }
      }
    }
    void keepGoing()
  }
  return {
    context: {
      ...parts,
      run: (reconciler) => {
        if (running.some(({ name }) => name === reconciler.key.name)) {
          throw new Error(`a reconciler called ${reconciler.key.name} runs already`)
        }
        const one = runReconciler(reconciler, { store, log, timings, clock, signal }, write)
        running.push(one)
        return one
      },
      background,
    },
    reconcilers: {
      stuck: (ms) =>
        running.flatMap(({ name, busySince }) => (clock.now() - (busySince() ?? Infinity) > ms ? [name] : [])),
      finished: () => Promise.all(running.map(({ finished }) => finished)),
    },
  }
}
