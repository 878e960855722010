import { type Address, parseSingleAddressPrefix, withPort } from '../lib/address.ts'
import { isJsonObject, type JsonObject, parseExactJson } from '../lib/json.ts'
import type { Origin } from '../lib/proxy-header.ts'
import type { LocalApi } from './client.ts'

/** How long tailscaled may take to say who somebody is, in milliseconds. */
const limitMs = 5000

/**
 * Asks tailscaled who is at the other end of a TCP connection; gives its answer for `readWhois`.
 * @throws LocalApiError, with a refusal of 404 if it knows nobody there
 */
export function askWhois(api: Pick<LocalApi, 'get'>, { address, port }: Origin, signal: AbortSignal): Promise<string> {
  const query = new URLSearchParams({ addr: withPort(address, port), proto: 'tcp' })
  return api.get(`whois?${query.toString()}`, signal, limitMs)
}

/** A node of the tailnet, as tailscaled describes who is at an address. */
export type Whois = {
  /** Its full name without a trailing dot. */
  readonly name: string
  /** Its stable ID; empty if there is none. */
  readonly id: string
  /** Those of a node that is nobody's. */
  readonly tags: readonly string[]
  /** Whose it is: the login name. Undefined if the answer has none. */
  readonly login: string | undefined
  /** The number of that user. */
  readonly userId: number | bigint | undefined
  /** Whether its key has expired. */
  readonly isExpired: boolean
  /** What the policy grants it, by capability, as it was said. */
  readonly capabilities: unknown
}

/**
 * Reads tailscaled's answer to the question who has `address`, at the time `now`. With an `address` of this machine,
 * from where a tailscaled without TUN device connects, any node may be the answer.
 * @throws Error if it is about another node, or not as documented
 */
export function readWhois(text: string, address: Address | 'of this machine', now: Date): Whois {
  const answer = object(parseExactJson(text))
  const node = object(answer?.['Node'])
  if (node === undefined) throw new Error('it names no node')
  const addresses = texts(node['Addresses']).map((one) => parseSingleAddressPrefix(one)?.text)
  if (address !== 'of this machine' && !addresses.includes(address.text)) throw new Error('it is about another node')
  const expiry = typeof node['KeyExpiry'] === 'string' ? Date.parse(node['KeyExpiry']) : 0
  const { ID: userId, LoginName: login } = object(answer?.['UserProfile']) ?? {}
  return {
    name: typeof node['Name'] === 'string' ? node['Name'].replace(/\.$/, '') : '',
    id: typeof node['StableID'] === 'string' ? node['StableID'] : '',
    tags: texts(node['Tags']),
    login: typeof login === 'string' ? login : undefined,
    userId: typeof userId === 'number' || typeof userId === 'bigint' ? userId : undefined,
    // Go's zero time means never.
    isExpired: node['Expired'] === true || (expiry > 0 && expiry <= now.getTime()),
    capabilities: answer?.['CapMap'],
  }
}

const object = (value: unknown): JsonObject | undefined => (isJsonObject(value) ? value : undefined)

function texts(value: unknown): string[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value) || !value.every((one): one is string => typeof one === 'string'))
    throw new Error('a list of texts is something else')
  return value
}
