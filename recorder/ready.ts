import type { Clock } from '../lib/clock.ts'
import { describe } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import type { LocalApi } from '../localapi/client.ts'
import { events } from './log-events.ts'
import type { Store } from './store/store.ts'

/** How often it is looked, in milliseconds, and the least room for new recordings, in bytes: old ones need some, too. */
const [everyMs, leastBytes] = [5000, 16 * 1024 * 1024]

export const noRoom = 'there is no room left'

/** What new recordings need. Each is undefined if it is there, or else what is wrong. */
export type Needs = { readonly tailscaled: string | undefined; readonly storage: string | undefined }

/** Looks from time to time at what new recordings need, until `signal` aborts. Changes are logged. */
export class Ready {
  readonly #look: () => Promise<Needs>
  readonly #log: Log
  #now: Needs = { tailscaled: 'it was not asked yet', storage: 'it was not looked at yet' }
  freeBytes: number | undefined

  constructor(
    {
      api,
      store,
      clock,
      log,
    }: {
      readonly api: Pick<LocalApi, 'get'>
      readonly store: Pick<Store, 'free'>
      readonly clock: Clock
      readonly log: Log
    },
    signal: AbortSignal,
  ) {
    this.#log = log
    this.#look = async () => ({
      tailscaled: await problemOf(async () => void (await api.get('status?peers=false', signal))),
      storage: await problemOf(async () => {
        this.freeBytes = await store.free()
        if (this.freeBytes !== undefined && this.freeBytes < leastBytes) throw new Error(noRoom)
      }),
    })
    let isLooking = false
    clock.every(everyMs, signal, () => {
      if (isLooking) return
      isLooking = true
      void this.look().finally(() => (isLooking = false))
    })
  }

  get now(): Needs {
    return this.#now
  }

  async look(): Promise<void> {
    const before = this.#now
    this.#now = await this.#look()
    for (const name of ['tailscaled', 'storage'] as const) {
      const problem = this.#now[name]
      if (problem === before[name]) continue
      this.#log(problem === undefined ? events.wellAgain({ part: name }) : events.lacking({ part: name, problem }))
    }
  }
}

async function problemOf(look: () => Promise<void>): Promise<string | undefined> {
  try {
    await look()
    return undefined
  } catch (error) {
    return describe(error)
  }
}
