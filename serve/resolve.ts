import { certDomain, entriesOf, joinEntries, type ServeConfig } from '../wire/serve-config.ts'
import { isName } from '../wire/serve-values.ts'

/** What to serve now of the mounted file. */
export type Resolved = {
  readonly config: ServeConfig
  /** The name for which the node can have certificates; undefined while HTTPS is off in the tailnet. */
  readonly domain: string | undefined
  /** Entries that wait until it is on. */
  readonly withheld: readonly string[]
}

/**
 * Replaces `${TS_CERT_DOMAIN}` everywhere by the name for which the node can have certificates. As long as there is
 * none, entries that name it wait, as do ports of the node that terminate TLS. Tailscale Services have their own names
 * and do not wait.
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
