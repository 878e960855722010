import type { Address } from '../lib/address.ts'
import { describe } from '../lib/errors.ts'
import { readWhois, type Whois } from '../localapi/whois.ts'
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
  const { name, id: nodeId, tags, login, userId, isExpired, capabilities } = read(text, address, now)
  if (isExpired) throw new Refused(403, 'unknown-peer', 'the key of this device has expired')
  const rules = readRules(capabilities)
  const user = tags.length > 0 ? name : login
  if (user === undefined) throw unusable('the node has neither tags nor a user')
  const identity = { user, groups: tags.length > 0 && rules.groups.length === 0 ? tags : rules.groups }
  checkIdentity(identity)
  return { node: name, nodeId, identity, tags, rules, ...(tags.length === 0 && userId !== undefined && { userId }) }
}

function read(...answer: Parameters<typeof readWhois>): Whois {
  try {
    return readWhois(...answer)
  } catch (error) {
    throw unusable(describe(error))
  }
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
