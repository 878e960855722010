import {
  fieldOf,
  flagOf,
  isAbsent,
  itemsOf,
  membersOf,
  type JsonCursor,
  Refusal,
  refusal,
  unknownMembers,
  textOf,
} from './json-cursor.ts'
import {
  certDomain,
  type PortHandler,
  type Ports,
  portOf,
  hostOf,
  type ServeService,
  type Site,
  type Sites,
  type WebHandler,
  withoutEmpty,
} from './serve-config.ts'
import { quote } from '../lib/quote.ts'
import { isForward, isName, isPort, isProxy, isRedirect } from './serve-values.ts'

/** Reports an ignored value and the reason. */
export type Warn = (cursor: JsonCursor, reason: string) => void

/** Members of an object, by name. */
export type Members = readonly (readonly [name: string, cursor: JsonCursor])[]

/**
 * Reads ports and the sites on them, which are accepted or rejected together. `example`: a name for a site.
 * @throws Refusal
 */
export function readPorts(
  tcp: Members,
  web: Members,
  example: string,
  warn: Warn,
): { readonly TCP: Ports; readonly Web: Sites } {
  const ports = new Map(
    tcp.map(([name, cursor]) => {
      if (!isPort(name)) throw new Refusal(cursor.path, 'a port is a whole number from 1 to 65535')
      return [name, readPort(cursor, warn)]
    }),
  )
  const sites = web.map(([name, cursor]): [string, Site] => {
    if (!isPort(portOf(name)) || !isName(hostOf(name))) {
      refusePlaceholder(cursor, name)
      throw new Refusal(cursor.path, `a site is a name and a port, such as app.example.ts.net:443${lostName(name)}`)
    }
    const port = ports.get(portOf(name))
    if (port === undefined) throw new Refusal(cursor.path, `TCP does not have its port: ${portToAdd(portOf(name))}`)
    if (port.TCPForward !== undefined) throw new Refusal(cursor.path, 'its port is forwarded, and has no sites')
    return [name, readSite(cursor, warn)]
  })
  const withSites = new Set(sites.map(([site]) => portOf(site)))
  for (const [name, cursor] of tcp) {
    if (ports.get(name)?.TCPForward !== undefined || withSites.has(name)) continue
    throw new Refusal(cursor.path, `no site is on this port: add "${example}:${name}": {${handlersToAdd}} to Web`)
  }
  return { TCP: Object.fromEntries(ports), Web: Object.fromEntries(sites) }
}

/** @throws Refusal */
export function readService(label: string, cursor: JsonCursor, warn: Warn): ServeService {
  const endpoints = fieldOf(cursor, 'endpoints')
  if (!isAbsent(endpoints)) throw new Refusal(endpoints.path, servicesFormat)
  const at = fieldsOf(cursor, ['TCP', 'Web', 'Tun'], warn)
  const [tcp, web, tun] = [membersOf(at.TCP), membersOf(at.Web), flagOf(at.Tun)]
  if (tun && tcp.length + web.length > 0) throw new Refusal(at.Tun.path, 'it excludes TCP and Web')
  if (!tun && tcp.length + web.length === 0) {
    throw new Refusal(cursor.path, 'nothing is served: add TCP, and Web for HTTPS and HTTP, or "Tun": true')
  }
  return withoutEmpty({ ...readPorts(tcp, web, `${label}.example.ts.net`, warn), ...(tun && { Tun: true }) })
}

function readPort(cursor: JsonCursor, warn: Warn): PortHandler {
  const at = fieldsOf(cursor, ['HTTPS', 'HTTP', 'TCPForward', 'TerminateTLS', 'ProxyProtocol'], warn)
  const [https, http, to, tls] = [flagOf(at.HTTPS), flagOf(at.HTTP), textOf(at.TCPForward), textOf(at.TerminateTLS)]
  const proxyProtocol = readProxyProtocol(at.ProxyProtocol)
  const kinds = [https, http, to !== ''].filter(Boolean).length
  if (kinds !== 1) throw new Refusal(cursor.path, `it has ${kinds} of HTTPS, HTTP and TCPForward, and needs one`)
  if (to === '') {
    for (const [field, isSet] of [
      [at.TerminateTLS, tls !== ''],
      [at.ProxyProtocol, proxyProtocol !== undefined],
    ] as const) {
      if (isSet) throw new Refusal(field.path, 'it needs TCPForward')
    }
    return https ? { HTTPS: true } : { HTTP: true }
  }
  refusePlaceholder(at.TCPForward, to)
  refusePlaceholder(at.TerminateTLS, tls)
  if (!isForward(to)) throw refusal(at.TCPForward, 'a host and port such as 10.0.0.9:5432, or unix:PATH')
  if (tls !== '' && !isName(tls)) throw refusal(at.TerminateTLS, 'a name')
  if (proxyProtocol !== undefined && to.startsWith('unix:'))
    throw new Refusal(at.ProxyProtocol.path, 'it excludes unix:PATH')
  return {
    TCPForward: to,
    ...(tls !== '' && { TerminateTLS: tls }),
    ...(proxyProtocol !== undefined && { ProxyProtocol: proxyProtocol }),
  }
}

function readProxyProtocol(cursor: JsonCursor): 1 | 2 | undefined {
  const { value } = cursor
  if (isAbsent(cursor) || value === 0) return undefined
  if (value !== 1 && value !== 2) throw refusal(cursor, '1 or 2')
  return value
}

function readSite(cursor: JsonCursor, warn: Warn): Site {
  const handlers = membersOf(fieldsOf(cursor, ['Handlers'], warn).Handlers)
  if (handlers.length === 0) throw new Refusal(cursor.path, `it has no Handlers: add ${handlersToAdd}`)
  return {
    Handlers: Object.fromEntries(
      handlers.map(([mount, handler]) => {
        if (!mount.startsWith('/')) throw new Refusal(handler.path, 'a path begins with /')
        return [mount, readHandler(handler, warn)]
      }),
    ),
  }
}

const leads = {
  Path: { is: (text: string) => text.startsWith('/'), what: 'an absolute path' },
  Proxy: { is: isProxy, what: 'a port, host:port, a URL of http, https or https+insecure, or unix:PATH' },
  Text: { is: () => true, what: 'a text' },
  Redirect: { is: isRedirect, what: 'a URL, with a status from 300 to 399 and a colon before it or not' },
} as const
const ways = ['Path', 'Proxy', 'Text', 'Redirect'] as const satisfies readonly (keyof typeof leads)[]

function readHandler(cursor: JsonCursor, warn: Warn): WebHandler {
  const at = fieldsOf(cursor, [...ways, 'AcceptAppCaps'], warn)
  const set = ways.filter((way) => textOf(at[way]) !== '')
  const [way] = set
  if (way === undefined || set.length > 1) {
    throw new Refusal(cursor.path, `it has ${set.length} of ${ways.join(', ')}, and needs one`)
  }
  const text = textOf(at[way])
  if (way !== 'Text') refusePlaceholder(at[way], text)
  if (!leads[way].is(text)) throw refusal(at[way], leads[way].what)
  const capabilities = (isAbsent(at.AcceptAppCaps) ? [] : itemsOf(at.AcceptAppCaps)).map((item) => {
    if (textOf(item) === '') throw refusal(item, 'the name of a capability')
    return textOf(item)
  })
  return withoutEmpty({ [way]: text, AcceptAppCaps: capabilities })
}

const handlersToAdd = '"Handlers": {"/": {"Proxy": "http://10.0.0.9:8080"}}'

/** Why `endpoints` are no part of a serve config. */
export const servicesFormat =
  'this is the format of `tailscale serve get-config`, which does not say whether a port is HTTPS: ' +
  'write TCP and Web, as `tailscale serve status --json` prints them'

/** What to add to TCP for a site on this port. */
const portToAdd = (port: string): string => `add "${port}": {"${port === '80' ? 'HTTP' : 'HTTPS'}": true} to it`

/**
 * Only one placeholder is replaced here, and tailscaled replaces two in redirects.
 * @throws Refusal for any other one, which would be taken for a name
 */
function refusePlaceholder({ path }: JsonCursor, text: string): void {
  const other = text.match(/\$\{?\w+\}?/g)?.find((one) => ![certDomain, '${HOST}', '${REQUEST_URI}'].includes(one))
  if (other !== undefined) throw new Refusal(path, `${quote(other)} is not replaced by anything: write ${certDomain}`)
}

/** Compose replaces what follows a single `$` in its own file, and nothing in files that it mounts. */
function lostName(site: string): string {
  if (site.startsWith(':'))
    return `; in a compose file write $${certDomain}, since compose replaces ${certDomain} itself`
  return site.includes(`$${certDomain}`) ? `; $$ is for what is within a compose file: write ${certDomain} here` : ''
}

/** The fields of the object at `cursor`; others are ignored. */
function fieldsOf<Name extends string>(
  cursor: JsonCursor,
  names: readonly Name[],
  warn: Warn,
): Record<Name, JsonCursor> {
  const found = names.map((name) => [name, fieldOf(cursor, name)] as const)
  for (const name of unknownMembers(cursor, names))
    warn(fieldOf(cursor, name), 'this is not a known field and is ignored')
  return Object.fromEntries(found) as Record<Name, JsonCursor>
}
