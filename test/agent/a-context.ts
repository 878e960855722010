import { type Context, createContext } from '../../agent/world/context.ts'
import { createStore } from '../../agent/world/store.ts'
import { shortTimings, type Timings } from '../../agent/world/timings.ts'
import type { World } from '../../agent/world/world.ts'
import { type Clock, systemClock } from '../../lib/clock.ts'
import type { LogEvent } from '../../lib/log-event.ts'
import type { LocalApi, TaggedApi } from '../../localapi/client.ts'

type Options = {
  readonly timings?: Partial<Timings>
  readonly clock?: Clock
  /** Fakes of LocalAPI calls; a call that is not given rejects. */
  readonly api?: Partial<LocalApi & TaggedApi>
}

const unasked = (): Promise<never> => Promise.reject(new Error('nobody is to be asked here'))
const noApi: LocalApi & TaggedApi = {
  get: unasked,
  post: unasked,
  patch: unasked,
  stream: unasked,
  getTagged: unasked,
  replace: unasked,
}

/** The context of a part of the agent, and what a test sees of it: the log, and a store that the test may change. */
export function aContext(world: World, { timings = {}, clock = systemClock, api = {} }: Options = {}) {
  const lines: string[] = []
  const stop = new AbortController()
  const log = ({ text }: LogEvent): void => void lines.push(text)
  const store = createStore(world, (problem) => lines.push(`error: ${problem}`))
  const { context, reconcilers } = createContext({
    store,
    log,
    clock,
    api: { ...noApi, ...api },
    timings: { ...shortTimings, ...timings },
    signal: stop.signal,
  })
  return { context: context satisfies Context, store, lines, stop, reconcilers }
}
