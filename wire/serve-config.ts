/** What tailscaled serves, as LocalAPI has it (localapi-apiproxy-recorder.md §A.7). Ports are decimal texts. */
export type ServeConfig = {
  readonly TCP?: Ports
  readonly Web?: Sites
  /** By name, with its `svc:`. */
  readonly Services?: Readonly<Record<string, ServeService>>
  /** By host and port: whether the Internet may come there, too. */
  readonly AllowFunnel?: Readonly<Record<string, boolean>>
}

export type Ports = Readonly<Record<string, PortHandler>>
/** By host and port, such as `app.example.ts.net:443`. */
export type Sites = Readonly<Record<string, Site>>

/** What one Tailscale Service serves; `Tun`: packets, and nothing else. */
export type ServeService = { readonly TCP?: Ports; readonly Web?: Sites; readonly Tun?: boolean }

/** What a port speaks: exactly one of HTTPS, HTTP and TCPForward. */
export type PortHandler = {
  readonly HTTPS?: boolean
  readonly HTTP?: boolean
  /** `host:port` or `unix:PATH`. */
  readonly TCPForward?: string
  /** The name whose TLS ends here, before the bytes are forwarded. */
  readonly TerminateTLS?: string
  readonly ProxyProtocol?: 1 | 2
}

/** What each path leads to. */
export type Site = { readonly Handlers: Readonly<Record<string, WebHandler>> }

/** Exactly one of the first four. */
export type WebHandler = {
  readonly Path?: string
  readonly Proxy?: string
  readonly Text?: string
  /** A URL, with a status and a colon before it or not. */
  readonly Redirect?: string
  readonly AcceptAppCaps?: readonly string[]
}

/** The names of Tailscale Services that need a certificate (§C): of those that end TLS, and of web sites on port 443. */
export function certificateDomains({ Services = {} }: ServeConfig): string[] {
  const names = Object.values(Services).flatMap(({ TCP = {}, Web = {} }) => [
    ...Object.keys(Web).flatMap((site) => (portOf(site) === '443' ? [hostOf(site)] : [])),
    ...Object.values(TCP).flatMap(({ TerminateTLS = '' }) => (TerminateTLS === '' ? [] : [TerminateTLS])),
  ])
  return [...new Set(names)]
}

/** Of a site's host and port. */
export const hostOf = (site: string): string => site.slice(0, site.lastIndexOf(':'))
export const portOf = (site: string): string => site.slice(site.lastIndexOf(':') + 1)
