import { entriesOf, hostOf, type Ports, type ServeConfig, type Sites } from '../wire/serve-config.ts'

/** A name under which something is served, although the node or the Tailscale Service has another one. */
export type Misnamed = {
  readonly entry: string
  readonly name: string
  /** The Tailscale Service; undefined for a port of the node. */
  readonly service?: string
  /** The name that it has. */
  readonly own: string
}

/**
 * What a resolved config serves under names that no client reaches it by. `own` is the node's name, without a dot at
 * its end; `others` are further names for which it can have certificates.
 */
export function misnamed(config: ServeConfig, own: string, others: readonly string[]): Misnamed[] {
  const suffix = /\..*/.exec(own)?.[0] ?? ''
  const names = [own, ...others]
  const isNode = (name: string): boolean => names.some((one) => name === one || name.endsWith(`.${one}`))
  return [...entriesOf(config)].flatMap(([entry, { TCP, Web, AllowFunnel = {}, Services = {} }]) => {
    const funnels = Object.keys(AllowFunnel).map(hostOf)
    // Through Funnel a node can also be reached by domains outside of the tailnet.
    const isDomain = (name: string): boolean => funnels.includes(name) && !name.endsWith(suffix)
    const ofNode = [...new Set([...namesIn(TCP, Web), ...funnels])].filter((name) => !isNode(name) && !isDomain(name))
    return [
      ...ofNode.map((name) => ({ entry, name, own })),
      ...Object.entries(Services).flatMap(([service, parts]) => {
        const its = service.slice('svc:'.length) + suffix
        const wrong = namesIn(parts.TCP, parts.Web).filter((name) => name !== its)
        return wrong.map((name) => ({ entry, name, service, own: its }))
      }),
    ]
  })
}

/** The names of sites, and of TLS that ends here. */
const namesIn = (TCP: Ports = {}, Web: Sites = {}): string[] => [
  ...new Set([
    ...Object.keys(Web).map(hostOf),
    ...Object.values(TCP).flatMap(({ TerminateTLS }) => TerminateTLS ?? []),
  ]),
]
