import type { Answer } from '../../lib/http-server.ts'
import { readable } from '../../lib/quote.ts'
import { notReady, renderChecks, type Since } from '../status/checks.ts'
import { hasAddress, type World } from '../world/world.ts'

/** The source of all answers. */
export type Observed = {
  readonly world: () => World
  /** Names of the reconcilers whose attempt hangs; none when all is well. */
  readonly stuck: () => readonly string[]
  readonly since: Since
  /** Names settings in a text as they were set: as variables or as flags. */
  readonly named: (text: string) => string
}

/** The endpoints for kubelet's probes. */
export const probes = ({ world, stuck, since, named }: Observed) => ({
  '/livez': (): Answer => {
    const names = stuck()
    return names.length === 0 ? { status: 200, body: 'ok' } : { status: 500, body: `stuck: ${names.join(', ')}` }
  },
  '/readyz': (query: URLSearchParams): Answer => {
    const reasons = notReady(world())
    const status = reasons.length === 0 ? 200 : 503
    if (query.has('verbose')) return { status, body: named(renderChecks(world(), since)) }
    return { status, body: status === 200 ? 'ok' : named(reasons.map(readable).join('\n')) }
  },
})

/**
 * Upstream's health endpoint: its headers have the Pod's addresses, by which a client recognises which Pod a load
 * balancer chose. Healthy means that tailscaled runs and has an address and that no reconciler hangs; upstream's agent
 * would have exited in that case.
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
