import { chosenBy } from '../world/capability.ts'
import type { Context } from '../world/context.ts'
import { logProblems } from '../world/log-problems.ts'
import type { DeviceConfigState } from '../world/world.ts'
import { discardCopy, effectiveConfig, placeConfig } from './effective.ts'
import { followDeviceConfig } from './follow.ts'
import { deviceConfigReconciler } from './reconciler.ts'
import { events } from './log-events.ts'

export type DeviceConfigKeeper = {
  /** Puts the config where tailscaled, which is about to start, will read it; gives the path. */
  readonly place: () => string | undefined
  /** Follows the file and makes tailscaled reload it, until the agent stops. */
  readonly follow: () => void
}

/** tailscaled's config file in one-step mode; undefined in other modes. */
export function deviceConfigKeeper(context: Context): DeviceConfigKeeper | undefined {
  const { store, api, log, timings, signal, run, background } = context
  const { settings, deviceConfig } = store.world
  if (deviceConfig === undefined || settings.configDirectory === undefined) return undefined
  const directory = settings.configDirectory
  const write = store.writer('deviceConfig')
  const change = (part: Partial<DeviceConfigState>): void => write((now) => now && { ...now, ...part })
  const { content: initial } = deviceConfig.file

  return {
    place: () => {
      const due = effectiveConfig(store.world)
      const file = store.world.deviceConfig?.file
      if (due === undefined || file === undefined) return undefined
      const path = placeConfig(file, due.bytes, settings)
      change({ read: { path, ...due } })
      return path
    },
    follow: () => {
      signal.addEventListener('abort', () => discardCopy(settings), { once: true })
      const problems = logProblems('the config file', events.rejected, context)
      const report = (problem: string): void => log(events.unwatched({ problem }))
      const options = { directory, version: chosenBy(store.world.capability), initial, rereadMs: timings.look, report }
      background('following the config file', () =>
        followDeviceConfig(
          {
            ...options,
            publish: (file) => {
              change({ file })
              problems(file.rejected === undefined ? [] : [`${file.rejected}; the last good one stays in use`])
            },
          },
          signal,
        ),
      )
      run(
        deviceConfigReconciler(
          () => store.world.deviceConfig,
          api,
          (read) => change({ read }),
          signal,
        ),
      )
    },
  }
}
