import { describe } from '../../lib/errors.ts'
import { LocalApiError } from '../../localapi/error.ts'
import { getStatus } from '../../localapi/status.ts'
import type { Context } from '../world/context.ts'
import { isUp } from '../world/world.ts'
import { applyNotification, type TailnetKeeper } from './tailnet.ts'
import { events } from './log-events.ts'

type Parts = Pick<Context, 'store' | 'api' | 'log' | 'timings' | 'clock' | 'signal'>

/**
 * Polls tailscaled's status until `signal` aborts, for what the bus does not report: that the daemon answers at all,
 * and where a person must log in (the bus reports that only to the client that asked for the login, which is `tailscale
 * up`). It also corrects what a lost message would leave wrong.
 */
export async function pollStatus(
  { store, api, log, timings, clock, signal }: Parts,
  tailnet: TailnetKeeper,
): Promise<void> {
  let said: string | undefined
  while (!signal.aborted) {
    if (!isUp(store.world)) {
      // Without a socket there is nothing to ask, which is handled elsewhere.
      tailnet.setSilent(undefined)
      await store.until(isUp, signal).catch(() => {})
    }
    const { tailnet: before } = store.world
    try {
      const notification = await getStatus(api, { peers: false }, signal, timings.statusTimeout)
      // Messages of the bus since the request are newer; others are older, and would take back what the answer says if
      // they were read after it.
      const isNews = () =>
        before.watching && store.world.tailnet === before && applyNotification(before, notification) !== before
      if (isNews() && before.self !== undefined) await clock.sleep(timings.unread, signal)
      if (isNews()) tailnet.apply(notification)
      tailnet.setSilent(undefined)
      said = undefined
    } catch (error) {
      if (signal.aborted) return
      const text = describe(error)
      const silent = error instanceof LocalApiError && error.silent
      tailnet.setSilent(silent ? text : undefined)
      // A daemon with another kind of answer is still followed on the bus.
      if (!silent && text !== said) log(events.noStatus({ problem: text }))
      said = text
    }
    const { state, self } = store.world.tailnet
    const rest = state === 'NeedsLogin' || self === undefined ? timings.loginPoll : timings.statusPoll
    const over = AbortSignal.any([signal, clock.timeout(rest)])
    await store.until((world) => !isUp(world), over).catch(() => {})
  }
}
