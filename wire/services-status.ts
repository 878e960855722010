import { type Address, parseAddress } from '../lib/address.ts'
import { parseJson } from '../lib/json.ts'
import { type EgressService, readPort, renderPort, renderTarget } from './egress-services.ts'
import { goJson } from './go-json.ts'
import { type IngressService, readIngressService, renderIngressService } from './ingress-services.ts'
import { packText, unpackText } from './packed.ts'
import { fieldOf, itemsOf, membersOf, type JsonCursor, Refusal, refusal, textOf } from './json-cursor.ts'

/** The addresses of the Pod with this status; empty for a family that it lacks. */
type Pod = { readonly podIPv4: string; readonly podIPv6: string }

/** `omitted`: services for which there was no room. */
export type StatusText = { readonly text: string; readonly omitted: readonly string[] }

/** An egress service with programmed rules, and the addresses it routes to. */
type ListedEgressService = {
  readonly service: Pick<EgressService, 'name' | 'ports' | 'tailnetTarget'>
  readonly addresses: readonly Address[]
}

/** A Pod's status for ProxyGroup egress: the services that it forwards. */
export type EgressStatus = Pod & { readonly services: readonly ListedEgressService[] }

/** A Pod's status for ProxyGroup ingress: the Tailscale Services that it forwards. */
export type IngressStatus = Pod & { readonly services: readonly IngressService[] }

/**
 * The value of the state Secret's key `egress-services`, in the bytes that readers compare: services sorted by name. If
 * they do not fit into `limitBytes`, all of them compressed; if that does not fit either, as many as do.
 */
export function renderEgressStatus({ podIPv4, podIPv6, services }: EgressStatus, limitBytes: number): StatusText {
  const entries = services.map(({ service: { name, ports, tailnetTarget }, addresses }) => {
    const value = {
      ports: ports.map(renderPort),
      tailnetTargetIPs: addresses.length === 0 ? null : addresses.map(({ text }) => text),
      tailnetTarget: renderTarget(tailnetTarget),
    }
    return [name, value] as const
  })
  const ipv6 = podIPv6 === '' ? '' : `"podIPv6":${goJson(podIPv6)},`
  const head = `{"podIPv4":${goJson(podIPv4)},${ipv6}"services":`
  const around = (list: string): string => `${head}${list === '' ? 'null' : `{${list}}`}}`
  const plain = fill(entries, limitBytes, around)
  if (plain.omitted.length === 0) return plain
  const text = packText(fill(entries, Infinity, around).text)
  return text.length <= limitBytes ? { text, omitted: [] } : plain
}

/**
 * The value of the state Secret's key `ingress-config.json`: services with programmed rules as configured, sorted by
 * name, as many as fit into `limitBytes`.
 */
export function renderIngressStatus({ podIPv4, podIPv6, services }: IngressStatus, limitBytes: number): StatusText {
  const entries = services.map((service) => [service.name, renderIngressService(service)] as const)
  const tail = `"podIPv4":${goJson(podIPv4)},"podIPv6":${goJson(podIPv6)}}`
  return fill(entries, limitBytes, (list) => `{"configs":{${list}},${tail}`)
}

/**
 * Reads the output of `renderEgressStatus` or of another agent; services that cannot be read are left out. Undefined if
 * it is not a status.
 */
export const parseEgressStatus = (text: string): EgressStatus | undefined =>
  parseStatus(text, 'services', (name, cursor) => {
    const target = fieldOf(cursor, 'tailnetTarget')
    const tailnetTarget = { ip: textOf(fieldOf(target, 'ip')), fqdn: textOf(fieldOf(target, 'fqdn')) }
    const ports = itemsOf(fieldOf(cursor, 'ports')).map(readPort)
    const addresses = itemsOf(fieldOf(cursor, 'tailnetTargetIPs')).map(readAddress)
    return { service: { name, ports, tailnetTarget }, addresses }
  })

/** The same for the output of `renderIngressStatus`. */
export const parseIngressStatus = (text: string): IngressStatus | undefined =>
  parseStatus(text, 'configs', readIngressService)

function parseStatus<Service>(
  text: string,
  section: string,
  read: (name: string, cursor: JsonCursor) => Service,
): (Pod & { readonly services: readonly Service[] }) | undefined {
  const root: JsonCursor = { value: parseJson(unpackText(text) ?? ''), path: '' }
  return unlessRefused(() => ({
    podIPv4: textOf(fieldOf(root, 'podIPv4')),
    podIPv6: textOf(fieldOf(root, 'podIPv6')),
    services: inOrder(membersOf(fieldOf(root, section))).flatMap(([name, cursor]) => {
      const service = unlessRefused(() => read(name, cursor))
      return service === undefined ? [] : [service]
    }),
  }))
}

function unlessRefused<Value>(read: () => Value): Value | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof Refusal) return undefined
    throw error
  }
}

function readAddress(cursor: JsonCursor): Address {
  const address = parseAddress(textOf(cursor))
  if (address === undefined) throw refusal(cursor, 'an IP address')
  return address
}

function fill(
  entries: readonly (readonly [name: string, value: object])[],
  limitBytes: number,
  around: (list: string) => string,
): StatusText {
  const listed: string[] = []
  const omitted: string[] = []
  let size = Buffer.byteLength(around('.')) - 1
  for (const [name, value] of inOrder(entries)) {
    const entry = `${goJson(name)}:${goJson(value)}`
    const more = Buffer.byteLength(entry) + Math.min(listed.length, 1)
    if (size + more > limitBytes) {
      omitted.push(name)
      continue
    }
    listed.push(entry)
    size += more
  }
  return { text: around(listed.join(',')), omitted }
}

const inOrder = <Entry extends readonly [string, unknown]>(entries: readonly Entry[]): Entry[] =>
  entries.toSorted(([a], [b]) => (a < b ? -1 : 1))
