import type { LocalApi } from '../../localapi/client.ts'
import { CulvertError } from '../../lib/errors.ts'
import { getAdvertised, setAdvertised } from '../../localapi/prefs.ts'
import type { Facet } from '../world/reconciler.ts'
import type { World } from '../world/world.ts'
import { resolvedServe, runs, servedConfig } from './reconciler.ts'

export const advertiseName = 'advertise'

/** Names of Tailscale Services, in their order. */
export type AdvertiseDesired = readonly string[]

/**
 * The Tailscale Services that tailscaled serves as the mounted file says now. Undefined where others say which are
 * advertised, and before it is known what is served.
 */
export function planAdvertise(world: World): AdvertiseDesired | undefined {
  const [wanted, served] = [resolvedServe(world)?.config, servedConfig(world)]
  if (!world.settings.advertisesServices || !runs(world) || wanted === undefined || served === undefined)
    return undefined
  return Object.entries(served.Services ?? {})
    .filter(([name, service]) => wanted.Services?.[name] !== undefined && Object.keys(service).length > 0)
    .map(([name]) => name)
    .sort()
}

/** The Tailscale Services that the node says it hosts: by this agent, last seen so, or by the config file. */
export const advertised = ({ facets, daemon }: World): readonly string[] => [
  ...new Set([
    ...((facets[advertiseName]?.verified as AdvertiseDesired | undefined) ?? []),
    ...(daemon.config?.services ?? []),
  ]),
]

/**
 * The node hosts the desired Tailscale Services, and of those that it has served (`former`) no other. What somebody else
 * has it host beside these is left alone.
 */
export const advertiseFacet = (
  api: Pick<LocalApi, 'get' | 'patch'>,
  former: ReadonlySet<string>,
  signal: AbortSignal,
): Facet<AdvertiseDesired> => ({
  name: advertiseName,
  plan: planAdvertise,
  apply: async (desired) => {
    const hosts = async (): Promise<Set<string>> => new Set((await getAdvertised(api, signal)).services)
    const now = await hosts()
    const due = now.difference(former).union(new Set(desired))
    if (now.symmetricDifference(due).size === 0) return false
    await setAdvertised(api, { services: [...due] }, signal)
    const wrong = (await hosts()).symmetricDifference(due)
    if (wrong.size === 0) return true
    throw new CulvertError(
      'not-held',
      `tailscaled did not take over which Tailscale Services to host: ${[...wrong].join(', ')}`,
    )
  },
})
