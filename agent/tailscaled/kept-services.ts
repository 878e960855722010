import { getAdvertised, setAdvertised } from '../../localapi/prefs.ts'
import type { Context } from '../world/context.ts'
import { login } from './log-events.ts'

/**
 * `tailscale up` empties the list of Tailscale Services that the node advertises. Remembers the list before, and gives
 * a function that restores it. With a serve config, missing ones may come from an earlier version of it, so that they
 * are only logged. Never rejects.
 */
export async function keepServices(
  { store, api, log }: Pick<Context, 'store' | 'api' | 'log'>,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const services = async (): Promise<readonly string[]> => (await getAdvertised(api, signal)).services
  // A daemon that cannot answer yet is not logged in.
  const before = await services().catch(() => [])
  return async () => {
    try {
      if (before.length === 0 || signal.aborted) return
      const now = await services()
      const gone = before.filter((name) => !now.includes(name))
      if (gone.length === 0) return
      if (store.world.settings.serveConfigFile === undefined) {
        await setAdvertised(api, { services: [...now, ...gone] }, signal)
        log(login.advertisedAgain({ services: gone.join(', ') }))
      } else {
        log(login.notAdvertised({ services: gone.join(', ') }))
      }
    } catch (error) {
      log(login.mayBeWithdrawn({ services: before.join(', '), problem: error }))
    }
  }
}
