import { describe } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import type { LocalApi } from '../../localapi/client.ts'
import { LocalApiError } from '../../localapi/error.ts'
import { getStatus } from '../../localapi/status.ts'
import type { Waits } from '../world/timings.ts'
import { isUp, type Store } from '../world/world.ts'
import { applyNotification } from './bus.ts'

/**
 * Asks tailscaled for its status again and again, until `signal` aborts, for what the bus does not tell: that the
 * daemon answers at all, and where a person must log in (the bus tells that only to the client that asked for the
 * login, which is `tailscale up`). It also puts right what a lost message would leave wrong.
 */
export async function followStatus(
  { store, api, log, waits }: { store: Store; api: LocalApi; log: Log; waits: Waits },
  signal: AbortSignal,
): Promise<void> {
  const setSilent = (silent: string | undefined): void => {
    if (store.world.tailnet.silent === silent) return
    store.update((world) => {
      const { silent: _before, ...tailnet } = world.tailnet
      return { ...world, tailnet: { ...tailnet, ...(silent !== undefined && { silent }) } }
    })
  }
  let said: string | undefined
  while (!signal.aborted) {
    if (!isUp(store.world)) {
      // Nobody is there to answer, which is another matter.
      setSilent(undefined)
      await store.until(isUp, signal).catch(() => {})
    }
    const { tailnet: before } = store.world
    try {
      const notification = await getStatus(api, { peers: false }, signal, waits.statusTimeout)
      // What the bus has said meanwhile is newer.
      if (before.watching && store.world.tailnet === before)
        store.update((world) => ({ ...world, tailnet: applyNotification(world.tailnet, notification) }))
      setSilent(undefined)
      said = undefined
    } catch (error) {
      if (signal.aborted) return
      const text = describe(error)
      const silent = error instanceof LocalApiError && error.silent
      setSilent(silent ? text : undefined)
      // A daemon that answers in another way goes on being heard on the bus.
      if (!silent && text !== said) log(`status: ${text}`)
      said = text
    }
    const { state, self } = store.world.tailnet
    const rest = state === 'NeedsLogin' || self === undefined ? waits.loginPoll : waits.statusPoll
    const over = AbortSignal.any([signal, AbortSignal.timeout(rest)])
    await store.until((world) => !isUp(world), over).catch(() => {})
  }
}
