import type { RequestListener, Server } from 'node:http'
import type { AddressPort } from '../../lib/address.ts'
import { CulvertError, describe } from '../../lib/errors.ts'
import type { Settings } from '../settings/settings.ts'
import type { VariableName } from '../settings/variables.ts'
import { listen, type Relay, type Route, type Routes, serve } from '../../lib/http-server.ts'
import { healthz, type Observed, probes } from './probes.ts'
import { relayTo } from './relay.ts'

/** A TCP listener before it is opened. */
export type Listener = {
  readonly address: AddressPort
  /** The variable that sets the address. */
  readonly variable: VariableName
  readonly answer: RequestListener
}

/** tailscaled sends nothing while it takes a profile or a trace, for at most this long, in ms. */
const debugIdleMs = 300_000

/**
 * The TCP listeners that the settings ask for. `metrics` answers `/metrics`; `preshutdown` answers a preStop hook, and
 * is undefined unless ProxyGroup egress services are mounted.
 */
export function listeners(
  { endpoints, debugAddress }: Settings,
  observed: Observed,
  metrics: Route,
  preshutdown?: Route,
): Listener[] {
  const { listen: address, health, healthListen } = endpoints
  const healthRoutes: Routes = { ...probes(observed), '/healthz': () => healthz(observed) }
  const list: Listener[] = []
  if (address !== undefined) {
    const routes = {
      ...(health ? healthRoutes : probes(observed)),
      ...(endpoints.metrics && { '/metrics': metrics }),
      ...(preshutdown && { '/internal-egress-services-preshutdown': preshutdown }),
    }
    const debugs = endpoints.metrics && debugAddress !== ''
    const relay: Relay | undefined = debugs ? { prefix: '/debug/', to: relayTo(debugAddress, debugIdleMs) } : undefined
    list.push({ address, variable: 'TS_LOCAL_ADDR_PORT', answer: serve(routes, relay) })
  }
  if (healthListen !== undefined) {
    list.push({ address: healthListen, variable: 'TS_HEALTHCHECK_ADDR_PORT', answer: serve(healthRoutes) })
  }
  return list
}

/**
 * Opens a listener. `problems` gets errors that occur later.
 * @throws CulvertError `listen` naming the address and the variable that sets it.
 */
export async function openListener(
  { address, variable, answer }: Listener,
  problems: (all: readonly string[]) => void,
): Promise<Server> {
  const { text, host, port } = address
  const failed = (error: Error): void => problems([`a connection to ${text} was not accepted: ${describe(error)}`])
  try {
    return await listen(answer, { host, port }, { failed }).catch((error: NodeJS.ErrnoException) => {
      // `[::]` is upstream's default, also where the kernel has no IPv6.
      if (host !== '::' || (error.code !== 'EAFNOSUPPORT' && error.code !== 'EADDRNOTAVAIL')) throw error
      return listen(answer, { host: '0.0.0.0', port }, { failed })
    })
  } catch (error) {
    throw new CulvertError('listen', `the endpoints cannot listen on ${text}`, {
      cause: error,
      remedy: `${variable} sets the address.`,
    })
  }
}
