/** Placeholder in the mounted file, in keys and values, for the name that the node can have certificates for. */
export const certDomain = '${TS_CERT_DOMAIN}'

/** tailscaled's serve config, as LocalAPI has it. Ports are decimal texts. */
export type ServeConfig = {
  readonly TCP?: Ports
  readonly Web?: Sites
  /** By name, with its `svc:`. */
  readonly Services?: Readonly<Record<string, ServeService>>
  /** By host and port: whether the Internet may connect too (Funnel). */
  readonly AllowFunnel?: Readonly<Record<string, boolean>>
}

export type Ports = Readonly<Record<string, PortHandler>>
/** By host and port, such as `app.example.ts.net:443`. */
export type Sites = Readonly<Record<string, Site>>

/** The serve config of one Tailscale Service; `Tun`: raw packets, and nothing else. */
export type ServeService = { readonly TCP?: Ports; readonly Web?: Sites; readonly Tun?: boolean }

/** The protocol of a port: exactly one of HTTPS, HTTP and TCPForward. */
export type PortHandler = {
  readonly HTTPS?: boolean
  readonly HTTP?: boolean
  /** `host:port` or `unix:PATH`. */
  readonly TCPForward?: string
  /** The name whose TLS is terminated here, before the bytes are forwarded. */
  readonly TerminateTLS?: string
  readonly ProxyProtocol?: 1 | 2
}

/** The handler of each path. */
export type Site = { readonly Handlers: Readonly<Record<string, WebHandler>> }

/** Exactly one of the first four. */
export type WebHandler = {
  readonly Path?: string
  readonly Proxy?: string
  readonly Text?: string
  /** A URL, optionally with a status and a colon before it. */
  readonly Redirect?: string
  readonly AcceptAppCaps?: readonly string[]
}

/**
 * The names of Tailscale Services that need a certificate: those that terminate TLS, and web sites on port 443.
 */
export function certificateDomains({ Services = {} }: ServeConfig): string[] {
  const names = Object.values(Services).flatMap(({ TCP = {}, Web = {} }) => [
    ...Object.keys(Web).flatMap((site) => (portOf(site) === '443' ? [hostOf(site)] : [])),
    ...Object.values(TCP).flatMap(({ TerminateTLS = '' }) => (TerminateTLS === '' ? [] : [TerminateTLS])),
  ])
  return [...new Set(names)]
}

/** By a site's host and port. */
export const hostOf = (site: string): string => site.slice(0, site.lastIndexOf(':'))
export const portOf = (site: string): string => site.slice(site.lastIndexOf(':') + 1)

/** The name of a port of the node, which with everything on it is one entry of a config. */
export const portEntry = (port: string): string => `port ${port}`

/** The config as independent entries, by their names for people. */
export function entriesOf({
  TCP = {},
  Web = {},
  Services = {},
  AllowFunnel = {},
}: ServeConfig): Map<string, ServeConfig> {
  const ports = Object.entries(TCP).map(([port, handler]): [string, ServeConfig] => [
    portEntry(port),
    withoutEmpty({ TCP: { [port]: handler }, Web: onPort(Web, port), AllowFunnel: onPort(AllowFunnel, port) }),
  ])
  const services = Object.entries(Services).map(([name, service]): [string, ServeConfig] => [
    name,
    { Services: { [name]: service } },
  ])
  return new Map([...ports, ...services])
}

const onPort = <Value>(all: Readonly<Record<string, Value>>, port: string): Record<string, Value> =>
  Object.fromEntries(Object.entries(all).filter(([site]) => portOf(site) === port))

/** The config with these entries. */
export function joinEntries(entries: Iterable<ServeConfig>): ServeConfig {
  const all = [...entries]
  return withoutEmpty({
    TCP: join(all.map(({ TCP }) => TCP)),
    Web: join(all.map(({ Web }) => Web)),
    Services: join(all.map(({ Services }) => Services)),
    AllowFunnel: join(all.map(({ AllowFunnel }) => AllowFunnel)),
  })
}

const join = <Value>(parts: readonly (Readonly<Record<string, Value>> | undefined)[]): Record<string, Value> =>
  Object.fromEntries(parts.flatMap((part = {}) => Object.entries(part)))

/** In tailscaled's form, without empty values. */
export const withoutEmpty = <Value extends object>(value: Value): Value =>
  Object.fromEntries(
    Object.entries(value).filter(
      ([, field]: [string, unknown]) => typeof field !== 'object' || field === null || Object.keys(field).length > 0,
    ),
  ) as Value
