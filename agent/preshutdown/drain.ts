import { Resolver } from 'node:dns/promises'
import type { Clock } from '../../lib/clock.ts'
import { describe } from '../../lib/errors.ts'
import type { Timings } from '../world/timings.ts'
import type { World } from '../world/world.ts'
import { addressesOf, ping } from './ping.ts'
import { type Answerer, inWords, assessDrain, ownMark, ownUrl, round } from './rounds.ts'

/** Services that are asked at the same time. */
const atOnce = 64

/** Services by name, each with the last answer; updated while they drain. */
export type Progress = { readonly waitingFor: Map<string, string>; readonly givenUp: Map<string, string> }

type Parts = { readonly world: () => World; readonly timings: Timings; readonly clock: Clock }

/**
 * Asks which Pod answers for each service in `progress.waitingFor`, round after round, until none routes here any more
 * or `signal` aborts. Never rejects. Each round uses the services and pings of the current World.
 */
export async function drain(progress: Progress, { world, timings, clock }: Parts, signal: AbortSignal): Promise<void> {
  const { waitingFor, givenUp } = progress
  const begun = clock.now()
  const queue = [...waitingFor.keys()].map((name) => ({ name, due: begun, elsewhere: 0, hereAt: begun }))
  const resolver = new Resolver({ timeout: timings.drainPing, tries: 1 })
  signal.addEventListener('abort', () => resolver.cancel(), { once: true })

  const askFor = async (name: string): Promise<Answerer> => {
    const now = world()
    const text = now.mounted.egressServices?.content?.services.get(name)?.healthCheckEndpoint ?? ''
    // A service that is no longer configured is not forwarded either.
    if (text === '') return { from: 'elsewhere' }
    const mark = ownMark(now)
    if ('problem' in mark) return { from: 'nobody', ...mark }
    const url = URL.parse(text)
    if (url === null || !/^https?:$/.test(url.protocol)) return { from: 'nobody', problem: 'its health URL is not one' }
    try {
      const addresses = await addressesOf(url, resolver)
      const one = () => ping(url, { addresses, mark, timeoutMs: timings.drainPing, signal })
      return await round(one, now.mounted.healthPings?.content ?? 0)
    } catch (error) {
      return { from: 'nobody', problem: describe(error) }
    }
  }

  // A Pod without enough CPU would take every service for silent, and end while they still route to it.
  const ask = async (name: string): Promise<Answerer> => {
    const heard = await askFor(name)
    if (heard.from !== 'nobody') return heard
    const [own, mark] = [ownUrl(world()), ownMark(world())]
    if (own === undefined || 'problem' in mark) return heard
    const self = await ping(own, { addresses: [], mark, timeoutMs: timings.drainPing, signal })
    return self.from === 'nobody' ? { from: 'unclear', problem: 'this Pod is too busy to answer itself' } : heard
  }

  // The queue stays sorted: a service that is asked again is due after all others.
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { name, due } = next
      await clock.sleep(Math.max(0, due - clock.now()), signal)
      if (signal.aborted) return
      const heard = await ask(name)
      if (signal.aborted) return
      const now = clock.now()
      const elsewhere = heard.from === 'elsewhere' ? next.elsewhere + 1 : 0
      const hereAt = heard.from === 'here' || heard.from === 'unclear' ? now : next.hereAt
      const verdict = assessDrain(heard, { elsewhere, silentMs: now - hereAt }, timings.drainSilence)
      if (verdict === 'waiting') {
        waitingFor.set(name, inWords(heard))
        queue.push({ name, due: now + timings.drainRound, elsewhere, hereAt })
      } else {
        waitingFor.delete(name)
        if (verdict === 'given up') givenUp.set(name, inWords(heard))
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, queue.length) }, work))
}
