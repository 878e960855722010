import { describe } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { every, sleep } from '../../lib/timers.ts'
import type { Waits } from '../world/timings.ts'
import type { Store } from '../world/world.ts'
import { drain, type Progress } from './drain.ts'
import { type Preshutdown, summary } from './preshutdown.ts'
import { askedServices } from './rounds.ts'

export type Parts = {
  readonly store: Store
  readonly log: Log
  readonly waits: Waits
  /** Ends the connections that are open, while new ones are carried. Gives how many there were. */
  readonly endFlows: () => Promise<number>
  /** Aborts when the agent stops. */
  readonly signal: AbortSignal
}

const seconds = (ms: number): string => `${ms / 1000} s`

/**
 * Waits until the Pod may end, and says in World and log what for; readiness comes back when `cancelled` aborts, or no
 * SIGTERM follows. Never rejects.
 */
export async function prepareToEnd(parts: Parts, cancelled: AbortSignal): Promise<void> {
  const { store, waits, signal: stop } = parts
  const signal = AbortSignal.any([stop, cancelled])
  const log: Log = (text) => parts.log(`preshutdown: ${text}`)
  const since = new Date()
  const tell = (phase: Preshutdown['phase'], waitingFor: Preshutdown['waitingFor'] = new Map()): void =>
    store.update((world) => ({ ...world, preshutdown: { since, phase, waitingFor } }))
  const clear = (reason: string): void => {
    // Another one may have begun meanwhile.
    if (store.world.preshutdown?.since !== since) return
    log(reason)
    store.update(({ preshutdown: _over, ...world }) => world)
  }

  tell('asking')
  await askForAll({ ...parts, log }, (waitingFor) => tell('asking', waitingFor), signal)
  if (!signal.aborted) {
    log(`waiting another ${seconds(waits.drainSettle)} for all nodes to route elsewhere`)
    tell('settling')
    await sleep(waits.drainSettle, signal)
  }
  if (!signal.aborted && (await resetOpen({ ...parts, log }))) {
    tell('forgetting')
    await sleep(waits.drainForget, signal)
  }
  if (signal.aborted) return clear(stop.aborted ? 'ended, since the agent stops' : 'ended, since nobody waits any more')
  log('safe to terminate')
  tell('over')
  void sleep(waits.drainSettle, stop).then(() => {
    if (!stop.aborted) clear('no signal has followed: new connections are welcome again')
  })
}

/**
 * Ends what is open: it ends with the Pod in any case. But nodes remember for a while that a connection which was reset
 * led here, and what a client sends from the same port comes here, too: then the Pod must still be there. Gives whether
 * there was any.
 */
async function resetOpen({ endFlows, log, waits }: Parts): Promise<boolean> {
  try {
    const count = await endFlows()
    if (count === 0) return false
    log(`${count} open connections reset; waiting ${seconds(waits.drainForget)} for nodes to forget that they led here`)
    return true
  } catch (error) {
    log(`warning: connections that are open end with the Pod: ${describe(error)}`)
    return false
  }
}

/** Until no service leads here any more, or so it must be taken, or `signal` aborts. */
async function askForAll(
  { store, log, waits }: Parts,
  tell: (waitingFor: Preshutdown['waitingFor']) => void,
  signal: AbortSignal,
): Promise<void> {
  const names = askedServices(store.world)
  const { content: pings, rejected } = store.world.healthPings ?? {}
  // Without a file there are no pings (agent.md §6); one that cannot be read is another matter.
  if (names.length === 0 || ((pings ?? 0) === 0 && rejected === undefined)) return log('there is nobody to ask')
  log(`waiting until none of the services leads to this Pod any more (${names.length})`)
  const waitingFor = new Map(names.map((name) => [name, 'not asked yet']))
  const progress: Progress = { waitingFor, givenUp: new Map() }
  let told = { size: names.length, at: performance.now() }
  const over = new AbortController()
  every(waits.drainRound, AbortSignal.any([signal, over.signal]), () => {
    tell(new Map(waitingFor))
    const now = { size: waitingFor.size, at: performance.now() }
    if (now.size === told.size && now.at - told.at < waits.progress) return
    told = now
    if (now.size > 0) log(`waiting for ${summary(waitingFor)}`)
  })
  const begun = performance.now()
  await drain(
    progress,
    { world: () => store.world, waits },
    AbortSignal.any([signal, AbortSignal.timeout(waits.drainLimit)]),
  )
  over.abort()
  if (signal.aborted) return
  const { givenUp } = progress
  if (givenUp.size > 0) log(`warning: taken to lead elsewhere, as it cannot be known: ${summary(givenUp)}`)
  if (waitingFor.size > 0) log(`warning: not waiting for these any longer: ${summary(waitingFor)}`)
  else log(`no service leads to this Pod any more, after ${seconds(Math.round(performance.now() - begun))}`)
}
