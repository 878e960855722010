import { parseAddress } from '../lib/address.ts'
import { fieldOf, isAbsent, itemsOf, type JsonCursor, refusal, Refusal, textOf } from './json-cursor.ts'
import { goJson } from './go-json.ts'
import { unpack } from './packed.ts'
import { parseServices, type Kind, type Services } from './services.ts'
import { parseFullName, type TailnetTarget } from './tailnet-target.ts'

export type EgressPort = {
  readonly protocol: 'tcp' | 'udp'
  /** The Pod's port, to which the cluster sends. */
  readonly matchPort: number
  /** The target's port. */
  readonly targetPort: number
  /** The protocol as configured, if not in capitals: the status repeats it. */
  readonly spelling?: string
}

/** One service of ProxyGroup egress. */
export type EgressService = {
  readonly name: string
  readonly target: TailnetTarget
  /** The target as configured, which the status repeats. */
  readonly tailnetTarget: { readonly ip: string; readonly fqdn: string }
  readonly ports: readonly EgressPort[]
  /** The service's health URL, which shows whether this Pod is still routed to; empty for none. */
  readonly healthCheckEndpoint: string
}

/** What the file has of a service. */
export type EgressEntry = Omit<EgressService, 'target'>

/** The content of the mounted file `egress-services`. A rejected service keeps its last good version. */
export type EgressServices = Services<EgressService>

/**
 * Reads the mounted file `egress-services` as Go decodes it: field names in any case, unknown ones ignored, the last of
 * duplicates counts. A match port belongs to one service per protocol. It may be compressed by gzip.
 * @throws CulvertError `settings` if the document as a whole is not a JSON object
 */
export const parseEgressServices = (bytes: Buffer, before?: EgressServices): EgressServices =>
  parseServices(unpack(bytes), kind, before?.services)

/** The text of that file for these services. */
export function renderEgressServices(services: Iterable<EgressEntry>): string {
  const entries = [...services].map(({ name, healthCheckEndpoint, tailnetTarget, ports }) => {
    return [name, { healthCheckEndpoint, tailnetTarget: renderTarget(tailnetTarget), ports: ports.map(renderPort) }]
  })
  return goJson(Object.fromEntries(entries))
}

/** The target as configured. */
export const renderTarget = ({ ip, fqdn }: EgressService['tailnetTarget']): object => ({ ip, fqdn })

/** The port as configured. */
export const renderPort = ({ protocol, spelling, matchPort, targetPort }: EgressPort): object => ({
  protocol: spelling ?? protocol.toUpperCase(),
  matchPort,
  targetPort,
})

const kind: Kind<EgressService> = {
  read: (name, cursor, report, before) => {
    const health = fieldOf(cursor, 'healthCheckEndpoint')
    return {
      name,
      ...readTarget(fieldOf(cursor, 'tailnetTarget')),
      ports: itemsOf(fieldOf(cursor, 'ports')).map(readPort),
      healthCheckEndpoint: readHealthUrl(health, report) ?? before?.healthCheckEndpoint ?? '',
    }
  },
  claims: ({ ports }) =>
    ports.map(({ protocol, matchPort }, index) => ({
      what: `${protocol.toUpperCase()} port ${matchPort}`,
      field: `ports[${index}].matchPort`,
    })),
}

/** `ip` wins: if it is set, `fqdn` is only repeated. */
function readTarget(cursor: JsonCursor): Pick<EgressService, 'target' | 'tailnetTarget'> {
  const at = { ip: fieldOf(cursor, 'ip'), fqdn: fieldOf(cursor, 'fqdn') }
  const tailnetTarget = { ip: textOf(at.ip), fqdn: textOf(at.fqdn) }
  if (tailnetTarget.ip !== '') {
    const address = parseAddress(tailnetTarget.ip)
    if (address === undefined) throw refusal(at.ip, 'an IP address')
    return { tailnetTarget, target: { kind: 'address', address } }
  }
  if (tailnetTarget.fqdn === '') throw new Refusal(cursor.path, 'neither ip nor fqdn is set')
  const name = parseFullName(tailnetTarget.fqdn)
  if (name === undefined) throw refusal(at.fqdn, 'the full name of a node or service')
  return { tailnetTarget, target: { kind: 'name', name } }
}

/** @throws Refusal */
export function readPort(cursor: JsonCursor): EgressPort {
  const protocol = fieldOf(cursor, 'protocol')
  const spelling = textOf(protocol)
  const lower = spelling.toLowerCase()
  if (lower !== 'tcp' && lower !== 'udp') throw refusal(protocol, 'TCP or UDP')
  return {
    protocol: lower,
    matchPort: readPortNumber(fieldOf(cursor, 'matchPort')),
    targetPort: readPortNumber(fieldOf(cursor, 'targetPort')),
    ...(spelling !== spelling.toUpperCase() && { spelling }),
  }
}

function readPortNumber(cursor: JsonCursor): number {
  const { value } = cursor
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65535) return value
  throw refusal(cursor, 'a whole number from 1 to 65535')
}

/** Undefined if it is invalid, which costs the service no traffic: it is only unknown when it has drained. */
function readHealthUrl(cursor: JsonCursor, report: (refusal: Refusal) => void): string | undefined {
  const { value } = cursor
  if (isAbsent(cursor) || value === '') return ''
  if (typeof value === 'string' && /^https?:$/.test(URL.parse(value)?.protocol ?? '')) return value
  report(refusal(cursor, 'an http or https URL'))
  return undefined
}
