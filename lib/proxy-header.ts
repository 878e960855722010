import { type Address, parseAddress } from './address.ts'

/** The other end of a connection, as its PROXY header says. */
export type Origin = { readonly address: Address; readonly port: number }

/**
 * What the first bytes of a connection are: not all of the header; no header that can be used, with the reason; or a
 * header, with its length.
 */
export type Parsed =
  | { readonly kind: 'more' }
  | { readonly kind: 'bad'; readonly why: string }
  | { readonly kind: 'origin'; readonly origin: Origin; readonly length: number }

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
/** Signature, version and command, family and protocol, length of the rest. */
const fixed = 16
/** Addresses and some further fields: tailscaled sends none of these. */
const mostRest = 512

/** Bytes of both addresses with their ports, by family and protocol: TCP over IPv4 and over IPv6. */
const sizes: ReadonlyMap<number, number> = new Map([
  [0x11, 12],
  [0x21, 36],
])

const bad = (why: string): Parsed => ({ kind: 'bad', why })

/** Reads a header of version 2 of the PROXY protocol (haproxy's proxy-protocol.txt, 2.2) for a TCP connection. */
export function parseProxyHeader(bytes: Buffer): Parsed {
  const begin = Math.min(bytes.length, signature.length)
  if (!bytes.subarray(0, begin).equals(signature.subarray(0, begin)))
    return bad('it does not begin with a PROXY header')
  if (bytes.length < fixed) return { kind: 'more' }
  const rest = bytes.readUInt16BE(14)
  // Also LOCAL, which names nobody.
  if (bytes[12] !== 0x21) return bad('its PROXY header is not of version 2 with the command PROXY')
  const size = sizes.get(bytes[13]!)
  if (size === undefined) return bad('its PROXY header is not for TCP')
  if (rest < size || rest > mostRest) return bad('its PROXY header has a wrong length')
  if (bytes.length < fixed + rest) return { kind: 'more' }
  const addresses = bytes.subarray(fixed, fixed + size)
  const half = (size - 4) / 2
  const address = parseAddress(textOf(addresses.subarray(0, half)))
  const port = addresses.readUInt16BE(2 * half)
  // For a loopback address, tailscaled would name a peer that has been connected from there.
  if (address === undefined || isLoopback(address)) return bad('its PROXY header has no address of a peer')
  return { kind: 'origin', origin: { address, port }, length: fixed + rest }
}

function textOf(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  return Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index).toString(16)).join(':')
}

/** Whether an address is one of this machine itself. */
export const isLoopback = ({ text }: Address): boolean => text.startsWith('127.') || text === '::1'
