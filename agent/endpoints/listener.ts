import type { Server } from 'node:http'
import { CulvertError } from '../../lib/errors.ts'
import type { Settings } from '../settings/settings.ts'
import { notReady, renderChecks } from '../checks.ts'
import { hasAddress, type World } from '../world.ts'
import { type Answer, listen, type Routes, serve } from './http.ts'

/** What the probes are answered from. */
export type Observed = {
  readonly world: () => World
  /** Names of the facets whose attempt does not end: empty means that the loop turns. */
  readonly stuck: () => readonly string[]
}

/** What kubelet's probes ask. */
export const probes = ({ world, stuck }: Observed): Routes => ({
  '/livez': () => {
    const names = stuck()
    return names.length === 0 ? { status: 200, body: 'ok' } : { status: 500, body: `stuck: ${names.join(', ')}` }
  },
  '/readyz': (query) => {
    const reasons = notReady(world())
    const status = reasons.length === 0 ? 200 : 503
    if (query.has('verbose')) return { status, body: renderChecks(world()) }
    return { status, body: status === 200 ? 'ok' : reasons.join('\n') }
  },
})

/** Upstream's health endpoint: the Pod's addresses are in its headers, by which a load balancer's route is recognised. */
const healthz = (world: World): Answer => {
  if (!hasAddress(world)) return { status: 503, body: 'node currently has no tailscale IPs' }
  const { ipv4, ipv6 } = world.settings.pod
  return {
    status: 200,
    body: 'ok',
    headers: { ...(ipv4 !== '' && { 'Pod-IPv4': ipv4 }), ...(ipv6 !== '' && { 'Pod-IPv6': ipv6 }) },
  }
}

/**
 * Opens the TCP listener of agent.md §10 where a setting asks for it.
 * @throws CulvertError `listen` naming the address.
 */
export async function openListener(settings: Settings, observed: Observed): Promise<Server | undefined> {
  if (!settings.health) return undefined
  const { text, host, port } = settings.listen
  const routes = serve({ ...probes(observed), '/healthz': () => healthz(observed.world()) })
  try {
    return await listen(routes, { host, port }).catch((error: NodeJS.ErrnoException) => {
      // `[::]` is upstream's default also where the kernel has no IPv6.
      if (host !== '::' || (error.code !== 'EAFNOSUPPORT' && error.code !== 'EADDRNOTAVAIL')) throw error
      return listen(routes, { host: '0.0.0.0', port })
    })
  } catch (error) {
    throw new CulvertError('listen', `the endpoints cannot listen on ${text}`, {
      cause: error,
      remedy: 'TS_LOCAL_ADDR_PORT sets the address.',
    })
  }
}
