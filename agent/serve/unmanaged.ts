import { getServeConfig } from '../../localapi/serve-config.ts'
import type { Context } from '../world/context.ts'
import { isRunning } from '../world/world.ts'
import { summarize } from './view.ts'

/**
 * If no serve config is mounted, logs once what tailscaled serves all the same: it keeps what an earlier run or a
 * person has set, and nothing else would mention it. Failures do not matter.
 */
export async function reportUnmanaged({
  store,
  api,
  log,
  signal,
}: Pick<Context, 'store' | 'api' | 'log' | 'signal'>): Promise<void> {
  try {
    await store.until(isRunning, signal)
    const { config } = await getServeConfig(api, signal)
    if (Object.keys(config).length === 0) return
    log(
      `tailscaled serves ${summarize(config)}, which was set by hand or by an earlier run: tailscale serve reset ends it`,
    )
  } catch {
    // Only a courtesy.
  }
}
