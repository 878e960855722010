import type { TaggedApi } from '../../localapi/client.ts'
import { memo } from '../../lib/memo.ts'
import { some } from '../../lib/some.ts'
import { ensureServed } from '../../serve/ensure.ts'
import { type Resolved, resolveServeConfig } from '../../serve/resolve.ts'
import type { ServeConfig } from '../../wire/serve-config.ts'
import { type Facet, PartlyHeld } from '../world/reconciler.ts'
import type { World } from '../world/world.ts'

export const serveName = 'serve'

export type ServeDesired = {
  readonly config: ServeConfig
  readonly domain: string | undefined
  /** How often tailscaled was started again, which may have cost it what it served. */
  readonly restarts: number
}

/**
 * What of the mounted file is to be served, and what must wait. Undefined where nothing is mounted, and until
 * tailscaled has said for which names there can be certificates.
 */
export const resolvedServe = memo(
  ({ serveConfig, tailnet }: World) => [serveConfig?.content, tailnet.certDomains, tailnet.self?.name],
  ({ serveConfig, tailnet: { certDomains, self } }): Resolved | undefined => {
    if (serveConfig?.content === undefined || certDomains === undefined) return undefined
    const own = self?.name.replace(/\.$/, '') ?? ''
    return resolveServeConfig(serveConfig.content.config, certDomains.includes(own) ? own : certDomains[0])
  },
)

/** Undefined also while tailscaled does not run: it takes nothing to serve then. */
export function planServe(world: World): ServeDesired | undefined {
  const resolved = resolvedServe(world)
  if (resolved === undefined || !runs(world)) return undefined
  return { config: resolved.config, domain: resolved.domain, restarts: world.daemon.restarts }
}

export const runs = ({ daemon, tailnet }: World): boolean => daemon.phase === 'running' && tailnet.state === 'Running'

const verified = ({ facets }: World): ServeDesired | undefined =>
  facets[serveName]?.verified as ServeDesired | undefined

/** What tailscaled was last seen to serve, and the name that it can have certificates for; undefined when unknown. */
export const servedConfig = (world: World): ServeConfig | undefined => verified(world)?.config
export const servedDomain = (world: World): string | undefined => verified(world)?.domain

/** What the last attempt was to be served under; undefined before there was any. */
export function httpsEndpoint({ facets }: World): string | undefined {
  const attempted = facets[serveName]?.desired as ServeDesired | undefined
  return attempted && (attempted.domain ?? 'no-https')
}

/** What tailscaled serves is what the mounted file says. `seen` takes what it served and serves, at each look. */
export function serveFacet(
  api: TaggedApi,
  world: () => World,
  seen: (config: ServeConfig) => void,
  signal: AbortSignal,
): Facet<ServeDesired> {
  let lastRestarts: number | undefined
  return {
    name: serveName,
    plan: planServe,
    apply: async ({ config, domain, restarts }) => {
      // Nobody is sent here for those that the node does not host, so taking them away for a moment costs nothing.
      const hosted = new Set(world().tailnet.hosted)
      const anew =
        lastRestarts === restarts ? [] : Object.keys(config.Services ?? {}).filter((name) => !hosted.has(name))
      const { found, held, changed, refused } = await ensureServed(api, config, new Set(anew), signal)
      lastRestarts = restarts
      seen(found)
      seen(held)
      if (refused.size > 0) throw refusal(refused, { config: held, domain, restarts })
      return changed
    },
  }
}

function refusal(refused: ReadonlyMap<string, Error>, held: ServeDesired): PartlyHeld {
  const all = [...refused].map(([entry, { message }]) => `${entry}: ${message}`)
  return new PartlyHeld(
    'localapi',
    `tailscaled refuses some of the serve config: ${some(all)}`,
    held,
    'These are as they were before; all else is served as it says.',
  )
}
