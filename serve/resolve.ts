import { certDomain, entriesOf, joinEntries, type ServeConfig } from '../wire/serve-config.ts'
import { isName } from '../wire/serve-values.ts'

/** What of the mounted file is to be served now. */
export type Resolved = {
  readonly config: ServeConfig
  /** The name that the node can have certificates for; undefined while HTTPS is off in the tailnet. */
  readonly domain: string | undefined
  /** Entries that must wait until it is on. */
  readonly withheld: readonly string[]
}

/**
 * Puts the name that the node can have certificates for where `${TS_CERT_DOMAIN}` stands for it, in the whole text
 *. While there is none, what names it waits, and what ends TLS on a port of the node. Tailscale Services
 * have names of their own, and do not.
 */
export function resolveServeConfig(file: ServeConfig, domain: string | undefined): Resolved {
  const name = domain !== undefined && isName(domain) ? domain : undefined
  const entries = [...entriesOf(file)]
  const waits = name === undefined ? entries.filter(([, entry]) => needsHttps(entry)) : []
  const served = entries.filter((entry) => !waits.includes(entry)).map(([, entry]) => entry)
  const text = JSON.stringify(joinEntries(served))
  const config: ServeConfig = JSON.parse(name === undefined ? text : text.replaceAll(certDomain, name))
  return {
    config,
    domain: name,
    withheld: waits.map(([entry]) => entry),
  }
}

const needsHttps = (entry: ServeConfig): boolean =>
  JSON.stringify(entry).includes(certDomain) ||
  Object.values(entry.TCP ?? {}).some(({ HTTPS, TerminateTLS }) => HTTPS === true || TerminateTLS !== undefined)
