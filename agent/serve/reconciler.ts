import { CulvertError } from '../../lib/errors.ts'
import { memo } from '../../lib/memo.ts'
import { some } from '../../lib/some.ts'
import type { TaggedApi } from '../../localapi/client.ts'
import { ensureServed } from '../../serve/ensure.ts'
import { type Resolved, resolveServeConfig } from '../../serve/resolve.ts'
import type { ServeConfig } from '../../wire/serve-config.ts'
import type { PartialOutcome, Reconciler } from '../world/reconciler.ts'
import { reconcilerKey, reportOf } from '../world/reports.ts'
import { isRunning, type World } from '../world/world.ts'
import { wantedServe } from './wanted.ts'

export type ServeDesired = {
  readonly config: ServeConfig
  readonly domain: string | undefined
  /** How often tailscaled was restarted, which may have cost it its serve config. */
  readonly restarts: number
}

export const serveKey = reconcilerKey<ServeDesired>('serve')

/** The node's name; empty until it is known. */
export const ownName = ({ tailnet }: World): string => tailnet.self?.name.replace(/\.$/, '') ?? ''

/**
 * The same with the node's name filled in, and the entries that must wait. Undefined until tailscaled has said for
 * which names there can be certificates.
 */
export const resolvedServe = memo(
  (world: World) => [wantedServe(world), world.tailnet.certDomains, ownName(world)],
  (world): Resolved | undefined => {
    const wanted = wantedServe(world)
    const { certDomains } = world.tailnet
    if (wanted === undefined || certDomains === undefined) return undefined
    const own = ownName(world)
    return resolveServeConfig(wanted, certDomains.includes(own) ? own : certDomains[0], own)
  },
)

/** Undefined also while tailscaled is not running, since it accepts no config then. */
export function planServe(world: World): ServeDesired | undefined {
  const resolved = resolvedServe(world)
  if (resolved === undefined || !isRunning(world)) return undefined
  return { config: resolved.config, domain: resolved.domain, restarts: world.daemon.restarts }
}

/**
 * What tailscaled was last observed to serve, and the name for which it can have certificates; undefined when unknown.
 */
export const servedConfig = (world: World): ServeConfig | undefined => reportOf(world, serveKey)?.verified?.config
export const servedDomain = (world: World): string | undefined => reportOf(world, serveKey)?.verified?.domain

/** The name under which the last attempt served; undefined before the first. */
export function httpsEndpoint(world: World): string | undefined {
  const attempted = reportOf(world, serveKey)?.desired
  return attempted && (attempted.domain ?? 'no-https')
}

/** Makes tailscaled serve what is desired. `onObserved` gets each config that was read. */
export function serveReconciler(
  api: TaggedApi,
  onObserved: (config: ServeConfig) => void,
  signal: AbortSignal,
): Reconciler<ServeDesired> {
  let lastRestarts: number | undefined
  return {
    key: serveKey,
    plan: planServe,
    apply: async ({ config, domain, restarts }, { tailnet }) => {
      // The tailnet sends no client for Services that the node does not host, so that removing them for a moment costs
      // nothing.
      const hosted = new Set(tailnet.hosted)
      const recreate =
        lastRestarts === restarts ? [] : Object.keys(config.Services ?? {}).filter((name) => !hosted.has(name))
      const { found, held, changed, refused } = await ensureServed(api, config, new Set(recreate), signal)
      lastRestarts = restarts
      onObserved(found)
      onObserved(held)
      if (refused.size > 0) return refusal(refused, { config: held, domain, restarts })
      return changed
    },
  }
}

function refusal(refused: ReadonlyMap<string, Error>, served: ServeDesired): PartialOutcome<ServeDesired> {
  const all = [...refused].map(([entry, { message }]) => `${entry}: ${message}`)
  const problem = new CulvertError('localapi', `tailscaled refuses some of the serve config: ${some(all)}`, {
    remedy: 'These are as they were before; all else is served as it says.',
  })
  return { problem, verified: served }
}
