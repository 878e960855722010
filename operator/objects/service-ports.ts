import { quote } from '../../lib/quote.ts'
import { clusterAddresses, type ServiceSpec } from './service.ts'

/** A port of a Service, and where a proxy leads it. */
export type ListedPort = {
  /** As in `tcp/5432`. */
  readonly name: string
  readonly protocol: string
  readonly port: number
  /** The port of the backends. */
  readonly to: number
  /** Why it cannot be forwarded, in words that follow the name and a colon. */
  readonly problem: string | undefined
}

/** Only a cluster IP leads to the ports of Pods by itself: a headless Service's name has the addresses of Pods. */
export function listedPorts(spec: ServiceSpec): readonly ListedPort[] {
  const isHeadless = spec.type !== 'ExternalName' && clusterAddresses(spec).length === 0
  return (spec.ports ?? []).map(({ port, protocol = 'TCP', targetPort = port }) => {
    const to = isHeadless ? targetPort : port
    const problem =
      protocol !== 'TCP' && protocol !== 'UDP'
        ? 'only TCP and UDP can be forwarded'
        : typeof to === 'string'
          ? `only Pods know their port ${quote(to)}, and a headless Service needs its number as targetPort`
          : undefined
    return { name: `${protocol.toLowerCase()}/${port}`, protocol, port, to: Number(to), problem }
  })
}

/** As `CULVERT_DEST_PORTS` has ports. */
export const itemsOf = (ports: readonly ListedPort[]): string =>
  ports.map(({ name, port, to }) => (port === to ? name : `${name}:${to}`)).join(',')

/** For messages: the ports that cannot be forwarded, each with its reason. */
export const problemsOf = (ports: readonly ListedPort[]): readonly string[] =>
  ports.flatMap(({ name, problem }) => (problem === undefined ? [] : [`${name}: ${problem}`]))
