import { type Address, parseSingleAddressPrefix } from '../lib/address.ts'
import { type JsonObject, isJsonObject, parseExactJson } from '../lib/json.ts'
import { readRules, type Rules } from './capability.ts'
import type { Identity } from './headers.ts'
import { Refused } from './refused.ts'

/** Who a peer of the tailnet is, and what the policy says of it. */
export type Caller = {
  /** Its full name without a trailing dot. */
  readonly node: string
  readonly nodeId: string
  readonly identity: Identity
  /** The number of its user in the tailnet, unless it has tags. */
  readonly userId?: number | bigint
  /** Those of a device that is nobody's. */
  readonly tags: readonly string[]
  readonly rules: Rules
}

/** The most that is impersonated, in bytes: the API server takes a head of 1 MiB. */
const mostBytes = 64 * 1024

/**
 * Reads tailscaled's answer to the question who has `address`, at the time `now`. A node of a user acts as that user,
 * one with tags as itself.
 * @throws Refused if the answer is about another node, or not as documented
 */
export function readCaller(text: string, address: Address, now: Date): Caller {
  const answer = parseExactJson(text)
  const node = object(object(answer)?.['Node'])
  if (node === undefined) throw unusable('it names no node')
  const addresses = texts(node['Addresses']).map((one) => parseSingleAddressPrefix(one)?.text)
  if (!addresses.includes(address.text)) throw unusable('it is about another node')
  const expiry = typeof node['KeyExpiry'] === 'string' ? Date.parse(node['KeyExpiry']) : 0
  // Go's zero time means never.
  if (node['Expired'] === true || (expiry > 0 && expiry <= now.getTime()))
    throw new Refused(403, 'unknown-peer', 'the key of this device has expired')

  const name = typeof node['Name'] === 'string' ? node['Name'].replace(/\.$/, '') : ''
  const tags = texts(node['Tags'])
  const rules = readRules(object(answer)?.['CapMap'])
  const { ID: id, LoginName: login } = object(object(answer)?.['UserProfile']) ?? {}
  const user = tags.length > 0 ? name : login
  if (typeof user !== 'string') throw unusable('the node has neither tags nor a user')
  const identity = { user, groups: tags.length > 0 && rules.groups.length === 0 ? tags : rules.groups }
  checkIdentity(identity)
  const nodeId = typeof node['StableID'] === 'string' ? node['StableID'] : ''
  const isNumbered = tags.length === 0 && (typeof id === 'number' || typeof id === 'bigint')
  return { node: name, nodeId, identity, tags, rules, ...(isNumbered && { userId: id }) }
}

const object = (value: unknown): JsonObject | undefined => (isJsonObject(value) ? value : undefined)

function texts(value: unknown): string[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value) || !value.every((one): one is string => typeof one === 'string'))
    throw unusable('a list of texts is something else')
  return value
}

/**
 * What an HTTP header cannot hold unchanged would be another identity. `system:` begins the names of Kubernetes' own
 * components, and nobody in a tailnet is one; groups are what the policy's author has chosen.
 */
function checkIdentity({ user, groups }: Identity): void {
  for (const name of [user, ...groups]) {
    const isGood = name !== '' && name === name.trim() && name.isWellFormed() && !/\p{Cc}/u.test(name)
    if (!isGood)
      throw new Refused(403, 'policy', 'a user or group of this device cannot be the name of one in Kubernetes')
  }
  if (user.startsWith('system:')) throw new Refused(403, 'policy', 'the name of this device begins with system:')
  const bytes = [user, ...groups].reduce((sum, name) => sum + Buffer.byteLength(name), 0)
  if (bytes > mostBytes) throw new Refused(403, 'policy', 'the policy grants more groups than a request can have')
}

const unusable = (what: string): Refused =>
  new Refused(503, 'unconfirmed-peer', `tailscaled's answer to who this device is cannot be used: ${what}`)

/** Whether what `before` may do is all that `now` may do, too. */
export const isStill = (before: Caller, now: Caller): boolean =>
  before.nodeId === now.nodeId &&
  before.identity.user === now.identity.user &&
  before.identity.groups.every((group) => now.identity.groups.includes(group)) &&
  (before.rules.enforcesRecording || !now.rules.enforcesRecording)
