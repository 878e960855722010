import { entriesOf, hostOf, type Ports, type ServeConfig, type Sites } from '../wire/serve-config.ts'

/** A served name that is not the name of the node or of the Tailscale Service. */
export type Misnamed = {
  readonly entry: string
  readonly name: string
  /** The Tailscale Service; undefined for a port of the node. */
  readonly service?: string
  /** The right name. */
  readonly own: string
}

/**
 * The served names of a resolved config by which no client reaches it. `own` is the node's name, without a dot at
 * its end; `others` are more names for which it can have certificates.
 */
export function misnamed(config: ServeConfig, own: string, others: readonly string[]): Misnamed[] {
  const suffix = /\..*/.exec(own)?.[0] ?? ''
  const names = [own, ...others]
  const isNode = (name: string): boolean => names.some((one) => name === one || name.endsWith(`.${one}`))
  return [...entriesOf(config)].flatMap(([entry, { TCP, Web, AllowFunnel = {}, Services = {} }]) => {
    const funnels = Object.keys(AllowFunnel).map(hostOf)
    // Through Funnel, a node can also have domains outside of the tailnet.
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

/** The names of sites and of terminated TLS. */
const namesIn = (TCP: Ports = {}, Web: Sites = {}): string[] => [
  ...new Set([
    ...Object.keys(Web).map(hostOf),
    ...Object.values(TCP).flatMap(({ TerminateTLS }) => TerminateTLS ?? []),
  ]),
]
