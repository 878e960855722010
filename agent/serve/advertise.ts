import { CulvertError } from '../../lib/errors.ts'
import type { LocalApi } from '../../localapi/client.ts'
import { getAdvertised, setAdvertised } from '../../localapi/prefs.ts'
import type { Reconciler } from '../world/reconciler.ts'
import { reconcilerKey, reportOf } from '../world/reports.ts'
import { isRunning, type World } from '../world/world.ts'
import { resolvedServe, serveKey } from './reconciler.ts'

export type AdvertiseDesired = {
  /** Names of Tailscale Services, sorted. */
  readonly services: readonly string[]
  /** Services that tailscaled has ever served: none of these may be advertised unless desired. */
  readonly everServed: ReadonlySet<string>
  /** How often tailscaled was restarted: with its state in memory it then advertises none. */
  readonly restarts: number
  /** The config file that tailscaled last read: it then advertises the Services in it. */
  readonly config: Buffer | undefined
}

export const advertiseKey = reconcilerKey<AdvertiseDesired>('advertise')

/**
 * The Tailscale Services that tailscaled serves as desired. Undefined if something else decides what is advertised, and
 * before it is known what is served.
 */
export function planAdvertise(world: World): AdvertiseDesired | undefined {
  const { settings, daemon, everServed, deviceConfig } = world
  const [wanted, served] = [resolvedServe(world)?.config, reportOf(world, serveKey)?.verified]
  if (!settings.advertisesServices || !isRunning(world) || wanted === undefined || served === undefined)
    return undefined
  // What was served before a restart must be observed again first.
  if (served.restarts !== daemon.restarts) return undefined
  const services = Object.entries(served.config.Services ?? {})
    .filter(([name, service]) => wanted.Services?.[name] !== undefined && Object.keys(service).length > 0)
    .map(([name]) => name)
    .toSorted()
  return { services, everServed, restarts: daemon.restarts, config: deviceConfig?.read?.bytes }
}

/** The Tailscale Services that the node advertises, by this agent or by the config file. */
export const advertised = (world: World): readonly string[] => [
  ...new Set([
    ...(reportOf(world, advertiseKey)?.verified?.services ?? []),
    ...(world.deviceConfig?.read?.services ?? []),
  ]),
]

/**
 * Makes the node advertise the desired Tailscale Services, and none of the others that it has ever served. Services
 * that somebody else advertises are left alone.
 */
export const advertiseReconciler = (
  api: Pick<LocalApi, 'get' | 'patch'>,
  signal: AbortSignal,
): Reconciler<AdvertiseDesired> => ({
  key: advertiseKey,
  plan: planAdvertise,
  apply: async ({ services, everServed }) => {
    const hosts = async (): Promise<Set<string>> => new Set((await getAdvertised(api, signal)).services)
    const now = await hosts()
    const due = now.difference(everServed).union(new Set(services))
    if (now.symmetricDifference(due).size === 0) return false
    await setAdvertised(api, { services: [...due] }, signal)
    const wrong = (await hosts()).symmetricDifference(due)
    if (wrong.size === 0) return true
    throw new CulvertError(
      'verification-failed',
      `tailscaled did not take over which Tailscale Services to host: ${[...wrong].join(', ')}`,
    )
  },
})
