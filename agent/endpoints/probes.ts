import { notReady, renderChecks } from '../status/checks.ts'
import { hasAddress, type World } from '../world/world.ts'
import type { Answer } from './http.ts'

/** What the probes are answered from. */
export type Observed = {
  readonly world: () => World
  /** Names of the facets whose attempt does not end: empty means that the loop turns. */
  readonly stuck: () => readonly string[]
}

/** What kubelet's probes ask. */
export const probes = ({ world, stuck }: Observed) => ({
  '/livez': (): Answer => {
    const names = stuck()
    return names.length === 0 ? { status: 200, body: 'ok' } : { status: 500, body: `stuck: ${names.join(', ')}` }
  },
  '/readyz': (query: URLSearchParams): Answer => {
    const reasons = notReady(world())
    const status = reasons.length === 0 ? 200 : 503
    if (query.has('verbose')) return { status, body: renderChecks(world()) }
    return { status, body: status === 200 ? 'ok' : reasons.join('\n') }
  },
})

/**
 * Upstream's health endpoint: the Pod's addresses are in its headers, by which a load balancer's route is recognised.
 * Healthy means that tailscaled runs and has an address, and that the loop turns: where it does not, upstream's agent
 * would have ended, or would tell of what was.
 */
export function healthz({ world, stuck }: Observed): Answer {
  const { settings, daemon } = world()
  const hanging = stuck()
  if (hanging.length > 0) return { status: 503, body: `stuck: ${hanging.join(', ')}` }
  if (!hasAddress(world())) return { status: 503, body: 'node currently has no tailscale IPs' }
  if (daemon.phase !== 'running') return { status: 503, body: `tailscaled is ${daemon.phase}` }
  const { ipv4, ipv6 } = settings.pod
  return {
    status: 200,
    body: 'ok',
    headers: { ...(ipv4 !== '' && { 'Pod-IPv4': ipv4 }), ...(ipv6 !== '' && { 'Pod-IPv6': ipv6 }) },
  }
}
