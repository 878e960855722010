import type { Context } from '../world/context.ts'
import type { Write } from '../world/store.ts'
import type { Preshutdown, World } from '../world/world.ts'
import { drain, type Progress } from './drain.ts'
import { askedServices } from './rounds.ts'
import { summary } from './view.ts'
import { events } from './log-events.ts'

export type Parts = Pick<Context, 'store' | 'log' | 'timings' | 'clock' | 'signal'>

/**
 * Waits until the Pod may end, and shows the progress in World and log, until `cancelled` aborts. It changes nothing
 * else: anybody who reaches the port can ask, so that only SIGTERM means that the Pod ends. Never rejects.
 */
export async function waitUntilDrained(
  parts: Parts,
  write: Write<World['preshutdown']>,
  cancelled: AbortSignal,
): Promise<void> {
  const { log, timings, clock, signal: stop } = parts
  const signal = AbortSignal.any([stop, cancelled])
  const since = clock.date()
  const show = (phase: Preshutdown['phase'], waitingFor: Preshutdown['waitingFor'] = new Map()): void =>
    write(() => ({ since, phase, waitingFor }))

  show('asking')
  await askForAll(parts, (waitingFor) => show('asking', waitingFor), signal)
  if (!signal.aborted) {
    log(events.settles({ seconds: timings.drainSettle / 1000 }))
    show('settling')
    await clock.sleep(timings.drainSettle, signal)
  }
  // Another wait may have begun meanwhile.
  write((now) => (now?.since === since ? undefined : now))
  if (!signal.aborted) return log(events.safe())
  log(stop.aborted ? events.stopped() : events.unwanted())
}

/** Waits until no service routes here any more, or is assumed not to, or `signal` aborts. */
async function askForAll(
  { store, log, timings, clock }: Parts,
  show: (waitingFor: Preshutdown['waitingFor']) => void,
  signal: AbortSignal,
): Promise<void> {
  const names = askedServices(store.world)
  const { content: pings, rejected } = store.world.mounted.healthPings ?? {}
  // Without the file there are no pings; an unreadable file is another matter.
  if (names.length === 0 || ((pings ?? 0) === 0 && rejected === undefined)) return log(events.noUrls())
  log(events.asks({ services: names.length }))
  const waitingFor = new Map(names.map((name) => [name, 'not asked yet']))
  const progress: Progress = { waitingFor, givenUp: new Map() }
  let logged = { size: names.length, at: clock.now() }
  const over = new AbortController()
  clock.every(timings.drainRound, AbortSignal.any([signal, over.signal]), () => {
    show(new Map(waitingFor))
    const now = { size: waitingFor.size, at: clock.now() }
    if (now.size === logged.size && now.at - logged.at < timings.progress) return
    logged = now
    if (now.size > 0) log(events.waits({ services: summary(waitingFor) }))
  })
  const begun = clock.now()
  await drain(
    progress,
    { world: () => store.world, timings, clock },
    AbortSignal.any([signal, clock.timeout(timings.drainLimit)]),
  )
  over.abort()
  if (signal.aborted) return
  const { givenUp } = progress
  if (givenUp.size > 0) log(events.assumed({ services: summary(givenUp) }))
  if (waitingFor.size > 0) log(events.givenUp({ services: summary(waitingFor) }))
  else log(events.done({ seconds: Math.round(clock.now() - begun) / 1000 }))
}
