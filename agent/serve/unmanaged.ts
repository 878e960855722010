import type { Log } from '../../lib/log.ts'
import type { TaggedApi } from '../../localapi/client.ts'
import { getServeConfig } from '../../localapi/serve-config.ts'
import { runs } from './reconciler.ts'
import type { Store } from '../world/world.ts'
import { summarize } from './view.ts'

/**
 * Where no serve config is mounted, says once what tailscaled serves all the same: it keeps what an earlier run or a
 * person has set, and nobody else would tell. Failing is of no matter.
 */
export async function reportLeft(store: Store, api: TaggedApi, log: Log, signal: AbortSignal): Promise<void> {
  try {
    await store.until(runs, signal)
    const { config } = await getServeConfig(api, signal)
    if (Object.keys(config).length === 0) return
    log(
      `tailscaled serves ${summarize(config)}, which was set by hand or by an earlier run: tailscale serve reset ends it`,
    )
  } catch {
    // It was a courtesy.
  }
}
