import type { Log } from '../../lib/log.ts'
import type { LocalApi } from '../../localapi/client.ts'
import { capabilityVersion } from '../capability-version.ts'
import { runFacet } from '../world/reconciler.ts'
import { deviceConfigFacet } from './reconciler.ts'
import { problemTeller } from '../world/log-problems.ts'
import type { Stoppable } from '../lifecycle/stop.ts'
import type { Waits } from '../world/timings.ts'
import type { Store } from '../world/world.ts'
import { discardCopy } from './effective.ts'
import { followDeviceConfig } from './follow.ts'

type Parts = {
  readonly store: Store
  readonly api: LocalApi
  readonly log: Log
  readonly waits: Waits
  readonly parts: Stoppable
  readonly signal: AbortSignal
}

/** Follows the config file of one-step mode, and has tailscaled follow it, until `signal` aborts. */
export function keepDeviceConfig({ store, api, log, waits, parts, signal }: Parts): void {
  const { settings, deviceConfig: known } = store.world
  if (known === undefined || settings.configDirectory === undefined) return
  signal.addEventListener('abort', () => discardCopy(settings), { once: true })
  const tell = problemTeller('the config file', log, signal)
  const report = (problem: string): void => log(`warning: ${problem}`)
  const options = {
    directory: settings.configDirectory,
    version: capabilityVersion,
    initial: known.current,
    rereadMs: waits.look,
    report,
  }
  void followDeviceConfig(
    {
      ...options,
      publish: (deviceConfig) => {
        store.update((world) => ({ ...world, deviceConfig }))
        tell(deviceConfig.rejected === undefined ? [] : [`${deviceConfig.rejected}; the last good one stays in use`])
      },
    },
    signal,
  )
  parts.facets.push(runFacet(deviceConfigFacet(store, api, signal), { store, log, waits, signal }))
}
