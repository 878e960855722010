import { type Address, families, type Family, familyName, parseAddress } from '../lib/address.ts'
import { fieldOf, isAbsent, type JsonCursor, refusal, Refusal, textOf } from './json-cursor.ts'
import { goJson } from './go-json.ts'
import { type Kind, parseServices, type Services } from './services.ts'

/** Where traffic to one address of a Tailscale Service goes. */
export type IngressMapping = {
  /** Undefined if the Tailscale Service has no address of the family. */
  readonly address: Address | undefined
  readonly backend: Address
  /** Both as configured, which the status repeats byte for byte. */
  readonly configured: { readonly TailscaleServiceIP: string; readonly ClusterIP: string }
}

/** One Tailscale Service of ProxyGroup ingress. */
export type IngressService = {
  /** With its `svc:`. */
  readonly name: string
  readonly mappings: Readonly<Partial<Record<Family, IngressMapping>>>
}

/** The content of the mounted file `ingress-config.json`. A rejected service keeps its last good version. */
export type IngressServices = Services<IngressService>

/**
 * Reads the mounted file `ingress-config.json` as Go decodes it: field names in any case, unknown ones ignored, the
 * last of duplicates counts. An address belongs to one Tailscale Service.
 * @throws CulvertError `settings` if the document as a whole is not a JSON object
 */
export const parseIngressServices = (bytes: Buffer, before?: IngressServices): IngressServices =>
  parseServices(bytes, kind, before?.services)

/** The name of a family's mapping in the document. */
const mappingField = (family: Family): string => `${familyName(family)}Mapping`

/** The text of that file for these services. */
export const renderIngressServices = (services: Iterable<IngressService>): string =>
  goJson(Object.fromEntries([...services].map((service) => [service.name, renderIngressService(service)])))

/** The value of a service in the document: its mappings as configured. */
export function renderIngressService({ mappings }: IngressService): object {
  const fields = families.flatMap((family) => {
    const configured = mappings[family]?.configured
    if (configured === undefined) return []
    const { TailscaleServiceIP, ClusterIP } = configured
    return [[mappingField(family), { TailscaleServiceIP, ClusterIP }] as const]
  })
  return Object.fromEntries(fields)
}

/** @throws Refusal */
export function readIngressService(name: string, cursor: JsonCursor): IngressService {
  const found = families.flatMap((family) => {
    const mapping = fieldOf(cursor, mappingField(family))
    return isAbsent(mapping) ? [] : [[family, readMapping(mapping, family)] as const]
  })
  if (found.length === 0) throw new Refusal('', `neither ${families.map(mappingField).join(' nor ')} is set`)
  return { name, mappings: Object.fromEntries(found) }
}

const kind: Kind<IngressService> = {
  read: readIngressService,
  claims: ({ mappings }) =>
    families.flatMap((family) => {
      const address = mappings[family]?.address
      return address === undefined
        ? []
        : [{ what: `the address ${address.text}`, field: `${mappingField(family)}.TailscaleServiceIP` }]
    }),
}

function readMapping(cursor: JsonCursor, family: Family): IngressMapping {
  const service = fieldOf(cursor, 'TailscaleServiceIP')
  const cluster = fieldOf(cursor, 'ClusterIP')
  if (isAbsent(service)) throw refusal(service, `an ${familyName(family)} address, or an empty text for none`)
  return {
    address: textOf(service) === '' ? undefined : readAddress(service, family),
    backend: readAddress(cluster, family),
    configured: { TailscaleServiceIP: textOf(service), ClusterIP: textOf(cluster) },
  }
}

function readAddress(cursor: JsonCursor, family: Family): Address {
  const address = parseAddress(textOf(cursor))
  if (address?.family !== family) throw refusal(cursor, `an ${familyName(family)} address`)
  return address
}
