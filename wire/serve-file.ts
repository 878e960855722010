import { CulvertError } from '../lib/errors.ts'
import { quote } from '../lib/quote.ts'
import { goJson } from './go-json.ts'
import { fieldOf, flagOf, isAbsent, membersOf, type JsonCursor, Refusal, unknownMembers } from './json-cursor.ts'
import type { Rejection } from './rejection.ts'
import {
  certDomain,
  entriesOf,
  hostOf,
  joinEntries,
  portEntry,
  portOf,
  type ServeConfig,
  withoutEmpty,
} from './serve-config.ts'
import { servicesFormat, type Members, readPorts, readService, type Warn } from './serve-handlers.ts'
import { isServiceName } from './serve-values.ts'
import { readObject } from './services.ts'

/** The content of the mounted serve config. */
export type ServeFile = {
  /** Its usable part; names may contain `${TS_CERT_DOMAIN}`. A rejected entry keeps its last good version. */
  readonly config: ServeConfig
  readonly rejections: readonly Rejection[]
  /** Parts that are ignored at no cost. */
  readonly warnings: readonly Rejection[]
}

const sections = ['TCP', 'Web', 'Services', 'AllowFunnel'] as const

/**
 * Reads the mounted serve config as Go decodes it: field names in any case, the last of duplicates counts. A port of
 * the node with everything on it is one entry, and so is each Tailscale Service: one that cannot be used stays as it
 * was `before`, or is left out, and does not affect the others.
 * @throws CulvertError `settings` when the document as a whole cannot be used
 */
export function parseServeFile(bytes: Buffer, before?: ServeFile): ServeFile {
  const root: JsonCursor = { value: readObject(bytes), path: '' }
  if (!isAbsent(fieldOf(root, 'endpoints'))) throw new CulvertError('settings', `endpoints: ${servicesFormat}`)
  const section = readSections(root)
  const former = entriesOf(before?.config ?? {})
  const entries = new Map<string, ServeConfig>()
  const rejections: Rejection[] = []
  const warnings: Rejection[] = unknownMembers(root, sections).map((name) => ({
    entry: quote(name),
    field: '',
    reason: 'this is not a known field and is ignored',
  }))

  const take = (key: string, read: (warn: Warn) => ServeConfig): void => {
    const entry = /^[ -~]{1,100}$/.test(key) ? key : quote(key)
    const strange: Rejection[] = []
    try {
      entries.set(
        key,
        read(({ path }, reason) => strange.push({ entry, field: path, reason })),
      )
      warnings.push(...strange)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      rejections.push({ entry, field: error.field, reason: error.message })
      const last = former.get(key)
      if (last !== undefined) entries.set(key, last)
    }
  }
  for (const [port, parts] of byPort(section)) take(portEntry(port), (warn) => readPortEntry(parts, warn))
  for (const [name, cursor] of section.Services) {
    take(name, (warn) => {
      if (!isServiceName(name))
        throw new Refusal(cursor.path, 'the name of a Tailscale Service is svc: and a DNS label')
      return { Services: { [name]: readService(name.slice('svc:'.length), cursor, warn) } }
    })
  }
  return { config: joinEntries(entries.values()), rejections, warnings }
}

/** The text of a serve config with this content. */
export const renderServeFile = (config: ServeConfig): string => goJson(withoutEmpty(config))

type Sections = Record<(typeof sections)[number], Members>

function readSections(root: JsonCursor): Sections {
  try {
    const read = (name: (typeof sections)[number]): Members => membersOf(fieldOf(root, name))
    return { TCP: read('TCP'), Web: read('Web'), Services: read('Services'), AllowFunnel: read('AllowFunnel') }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    throw new CulvertError('settings', `${error.field}: ${error.message}`)
  }
}

type PortParts = { readonly [Section in 'TCP' | 'Web' | 'AllowFunnel']: [name: string, cursor: JsonCursor][] }

/** What belongs to each port of the node; a port is any text. */
function byPort({ TCP, Web, AllowFunnel }: Sections): Map<string, PortParts> {
  const ports = new Map<string, PortParts>()
  const partsOf = (port: string): PortParts => {
    const parts = ports.get(port) ?? { TCP: [], Web: [], AllowFunnel: [] }
    ports.set(port, parts)
    return parts
  }
  for (const [name, cursor] of TCP) partsOf(name).TCP.push([name, cursor])
  for (const [name, cursor] of Web) partsOf(portOf(name)).Web.push([name, cursor])
  for (const [name, cursor] of AllowFunnel) partsOf(portOf(name)).AllowFunnel.push([name, cursor])
  return ports
}

function readPortEntry(parts: PortParts, warn: Warn): ServeConfig {
  const { TCP, Web } = readPorts(parts.TCP, parts.Web, certDomain, warn)
  const isSite = amongst(Object.keys(Web).map(hostOf))
  const funnel = parts.AllowFunnel.filter(([, cursor]) => flagOf(cursor)).filter(([site, cursor]) => {
    const port = TCP[portOf(site)]
    const isName = port?.TCPForward === undefined ? isSite : amongst([port.TerminateTLS ?? hostOf(site)])
    const isServed = isName(hostOf(site))
    if (port === undefined) throw new Refusal(cursor.path, 'it is not served, so that no Funnel can lead to it')
    if (!isServed) warn(cursor, 'it is not served, so that no Funnel can lead to it; it is ignored')
    return isServed
  })
  const AllowFunnel = Object.fromEntries(funnel.map(([site]) => [site, true as const]))
  return withoutEmpty({ TCP, Web, AllowFunnel })
}

/** Returns whether a name is one of these, or will be once the placeholder is replaced. */
function amongst(names: readonly string[]): (name: string) => boolean {
  const all = new Set(names)
  const unsure = names.some((name) => name.includes(certDomain))
  return (name) => unsure || all.has(name) || (all.size > 0 && name.includes(certDomain))
}
