import { certDomain, entriesOf, joinEntries, portOf, type ServeConfig, withoutEmpty } from '../wire/serve-config.ts'
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
 * none, ports of the node that terminate TLS or redirect to HTTPS wait, and `ownName`, the node's name, stands for the
 * placeholder on plain HTTP, which needs no certificate. Tailscale Services have their own names and do not wait.
 */
export function resolveServeConfig(file: ServeConfig, domain: string | undefined, ownName?: string): Resolved {
  const name = nameOrNone(domain)
  const stand = name ?? nameOrNone(ownName)
  const entries = [...entriesOf(file)]
  const waits = name === undefined ? entries.filter(([, entry]) => needsHttps(entry, stand)) : []
  const served = entries.filter((entry) => !waits.includes(entry)).map(([, entry]) => entry)
  const text = JSON.stringify(joinEntries(served))
  const config: ServeConfig = JSON.parse(stand === undefined ? text : text.replaceAll(certDomain, stand))
  return {
    config: withServedFunnels(config),
    domain: name,
    withheld: waits.map(([entry]) => entry),
  }
}

const nameOrNone = (name: string | undefined): string | undefined =>
  name !== undefined && isName(name) ? name : undefined

/** `stand`: what replaces the placeholder where no certificate is needed. */
function needsHttps(entry: ServeConfig, stand: string | undefined): boolean {
  const ports = Object.values(entry.TCP ?? {})
  if (ports.some(({ HTTPS, TerminateTLS }) => HTTPS === true || TerminateTLS !== undefined)) return true
  const text = JSON.stringify(entry)
  if (!text.includes(certDomain)) return false
  const isPlain = ports.length > 0 && ports.every(({ HTTP }) => HTTP === true)
  return stand === undefined || !isPlain || text.includes(`https://${certDomain}`)
}

/** A Funnel may be named by the placeholder and its site by the name, or the reverse: only now they can be compared. */
function withServedFunnels(config: ServeConfig): ServeConfig {
  const { TCP = {}, Web = {}, AllowFunnel = {} } = config
  const leads = (site: string): boolean => Object.hasOwn(Web, site) || TCP[portOf(site)]?.TCPForward !== undefined
  return withoutEmpty({
    ...config,
    AllowFunnel: Object.fromEntries(Object.entries(AllowFunnel).filter(([site]) => leads(site))),
  })
}
