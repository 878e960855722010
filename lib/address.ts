import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

export type Family = 4 | 6
export const families = [4, 6] as const satisfies readonly Family[]

/** One IP address; `text` is canonical (RFC 5952 for IPv6), so equal addresses have equal texts. */
export type Address = { readonly family: Family; readonly text: string }

/**
 * Reads one address literal; undefined for anything else. An IPv4-mapped IPv6 address is the IPv4 address it stands
 * for. A zone is refused: no rule and no peer has one.
 */
export function parseAddress(text: string): Address | undefined {
  // ipaddr.js alone takes `010.0.0.1` for 8.0.0.1 and `10.1` for 10.0.0.1; isIP takes neither.
  const version = isIP(text)
  if (version === 4) return { family: 4, text }
  if (version === 0 || text.includes('%')) return undefined
  const parsed = ipaddr.process(text)
  return parsed instanceof ipaddr.IPv6
    ? { family: 6, text: parsed.toRFC5952String() }
    : { family: 4, text: parsed.toString() }
}

/**
 * Reads `10.0.0.1` or `10.0.0.1/32` (as LocalAPI's Node has them); undefined unless the prefix is the address alone.
 */
export function parseSingleAddressPrefix(text: string): Address | undefined {
  const slash = text.indexOf('/')
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash))
  if (address === undefined || slash < 0) return address
  return text.slice(slash + 1) === (address.family === 4 ? '32' : '128') ? address : undefined
}

/** A network; `text` is canonical, such as `10.0.0.0/8`: all bits behind the first `bits` are zero. */
export type Prefix = { readonly family: Family; readonly text: string; readonly bits: number }

/**
 * Reads `10.0.0.5/8`, as LocalAPI and network devices have it, as the network 10.0.0.0/8. Undefined for anything else,
 * also for the IPv4-mapped form: no route has it.
 */
export function parsePrefix(text: string): Prefix | undefined {
  const [, host = '', digits = ''] = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text) ?? []
  const address = parseAddress(host)
  if (address === undefined || (address.family === 4 && host.includes(':'))) return undefined
  const bits = Number(digits)
  const bytes = ipaddr.parse(host).toByteArray()
  if (bits > 8 * bytes.length) return undefined
  const masked = bytes.map((byte, index) => byte & (0xff << Math.min(8, Math.max(0, 8 * (index + 1) - bits))))
  const network = parseAddress(ipaddr.fromByteArray(masked).toString())!
  return { family: network.family, text: `${network.text}/${bits}`, bits }
}

/** The ranges of the addresses of nodes and Tailscale Services. */
export const tailnetRanges: readonly Prefix[] = [parsePrefix('100.64.0.0/10')!, parsePrefix('fd7a:115c:a1e0::/48')!]

/** Whether an address, or a whole network, is in a network. Bits are cached per value, since computing them is slow. */
export const contains = (prefix: Prefix, other: Address | Prefix): boolean =>
  prefix.family === other.family && bitsOf(other).startsWith(bitsOf(prefix))

/** Whether it is an address of a node or of a Tailscale Service. */
export const inTailnet = (address: Address | undefined): boolean =>
  address !== undefined && tailnetRanges.some((prefix) => contains(prefix, address))

/** Compares addresses: IPv4 first, then by text. */
export const byFamilyAndText = (one: Address, other: Address): number =>
  one.family - other.family || (one.text < other.text ? -1 : Number(one.text > other.text))

const knownBits = new WeakMap<Address | Prefix, string>()
const byteBits = Array.from({ length: 256 }, (_, byte) => byte.toString(2).padStart(8, '0'))

/** The bits of an address, or those that all addresses of a network begin with, as text of `0` and `1`. */
export function bitsOf(value: Address | Prefix): string {
  const known = knownBits.get(value)
  if (known !== undefined) return known
  const bytes = ipaddr.parse(value.text.replace(/\/.*/, '')).toByteArray()
  const all = bytes.map((byte) => byteBits[byte]).join('')
  const bits = 'bits' in value ? all.slice(0, value.bits) : all
  knownBits.set(value, bits)
  return bits
}

/** An address with a port, as URLs have them. */
export const withPort = ({ family, text }: Address, port: number): string =>
  family === 6 ? `[${text}]:${port}` : `${text}:${port}`

export const familyName = (family: Family): string => (family === 4 ? 'IPv4' : 'IPv6')

/** `text` is as it was given. */
export type AddressPort = {
  readonly text: string
  readonly host: string
  readonly family: Family
  readonly port: number
}

/** Reads `10.0.0.1:9002` or `[::]:9002`: an address literal and a port, as Go's netip.ParseAddrPort accepts them. */
export function parseAddressPort(text: string): AddressPort | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  if (match === null) return undefined
  const [, bracketed, bare, digits] = match
  const host = bracketed ?? bare ?? ''
  const port = Number(digits)
  const version = isIP(host)
  if (port > 65535 || version === 0 || (version === 6) !== (bracketed !== undefined)) return undefined
  return { text, host, family: version === 4 ? 4 : 6, port }
}
