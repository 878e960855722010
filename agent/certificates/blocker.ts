import { type Problem, problem } from '../../certs/problem.ts'
import { memo } from '../../lib/memo.ts'
import { certificateDomains, type ServeConfig } from '../../wire/serve-config.ts'
import { type Resolved } from '../../serve/resolve.ts'
import { resolvedServe } from '../serve/reconciler.ts'
import { wantedServe } from '../serve/wanted.ts'
import { isRunning, type World } from '../world/world.ts'

const nothing: ServeConfig = {}
const configOf = (world: World): ServeConfig => wantedServe(world) ?? nothing

/**
 * Names whose certificates the agent looks after, sorted: those that a group shares, or the node's own, if that is asked
 * for.
 */
export const keptDomains = memo(
  (world: World) => [world.settings, configOf(world), resolvedServe(world)],
  (world): readonly string[] => {
    const { certShare, requestsCertificate } = world.settings
    if (certShare === undefined) return requestsCertificate ? ownDomains(resolvedServe(world)) : []
    // The placeholder for the node's own name is not the name of a Tailscale Service.
    return certificateDomains(configOf(world))
      .filter((domain) => !domain.includes('$'))
      .toSorted()
  },
)

/** The node's own name, if it is served with TLS. */
const ownDomains = (served: Resolved | undefined): readonly string[] =>
  certificateDomains({ Services: { own: served?.config ?? nothing } }).filter((domain) => domain === served?.domain)

/**
 * What in the tailnet keeps tailscaled from getting a certificate for `domain`; undefined when nothing is known. Pure.
 */
export function blocker(world: World, domain: string): Problem | undefined {
  const { certDomains, self, hosted } = world.tailnet
  if (!isRunning(world) || certDomains === undefined || self === undefined) {
    return problem('not-running', `no certificate for ${domain}: tailscaled is not running in the tailnet yet`)
  }
  if (certDomains.includes(domain)) return undefined
  const no = `there can be no certificate for ${domain}`
  if (certDomains.length === 0) return problem('https-off', `${no}: HTTPS is off in this tailnet`)
  const service = serviceOf(configOf(world), domain)
  if (service !== undefined && self.tags === undefined) {
    return problem('untagged', `${no}: this node has no tag, so that it cannot host ${service}`)
  }
  if (service !== undefined && hosted !== undefined && !hosted.includes(service)) {
    return problem('not-hosted', `${no}: the control server does not have this node host ${service}`)
  }
  return problem('no-cert-domain', `${no}: this node can have those for ${certDomains.slice(0, 5).join(', ')}`)
}

/** The Tailscale Service that is served under this name. */
const serviceOf = ({ Services = {} }: ServeConfig, domain: string): string | undefined =>
  Object.entries(Services).find(([name, service]) =>
    certificateDomains({ Services: { [name]: service } }).includes(domain),
  )?.[0]
