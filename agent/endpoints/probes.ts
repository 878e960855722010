import type { Answer } from '../../lib/http-server.ts'
import { notReady, renderChecks, type Since } from '../status/checks.ts'
import { hasAddress, type World } from '../world/world.ts'

/** What the endpoints are answered from. */
export type Observed = {
  readonly world: () => World
  /** Names of the reconcilers whose attempt does not end: none, when all is well. */
  readonly stuck: () => readonly string[]
  readonly since: Since
}

/** What kubelet's probes ask. */
export const probes = ({ world, stuck, since }: Observed) => ({
  '/livez': (): Answer => {
    const names = stuck()
    return names.length === 0 ? { status: 200, body: 'ok' } : { status: 500, body: `stuck: ${names.join(', ')}` }
  },
  '/readyz': (query: URLSearchParams): Answer => {
    const reasons = notReady(world())
    const status = reasons.length === 0 ? 200 : 503
    if (query.has('verbose')) return { status, body: renderChecks(world(), since) }
    return { status, body: status === 200 ? 'ok' : reasons.join('\n') }
  },
})

/**
 * Upstream's health endpoint: the Pod's addresses are in its headers, by which a load balancer's route is recognised.
 * Healthy means that tailscaled runs and has an address, and that no reconciler hangs: where one does, upstream's agent
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
