import type { ServiceSpec } from '../objects/service.ts'
import { itemsOf, listedPorts, problemsOf } from '../objects/service-ports.ts'

/** The ports of a Service, as the agent is told of them. */
export type Ports = {
  /** The value of `CULVERT_DEST_PORTS`; empty: all ports lead to the backends, since none is listed. */
  readonly list: string
  /** Whether some port leads to another one, which Tailscale's agent cannot do. */
  readonly areMapped: boolean
  /** Ports that cannot be forwarded, with the reason. */
  readonly problems: readonly string[]
}

export function portsOf(spec: ServiceSpec): Ports {
  const all = listedPorts(spec)
  const good = all.filter(({ problem }) => problem === undefined)
  return { list: itemsOf(good), areMapped: good.some(({ port, to }) => port !== to), problems: problemsOf(all) }
}
