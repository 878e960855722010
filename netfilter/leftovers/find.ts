import { type ListedChain, readListing } from './listing.ts'
import { isClamp, upstreamRule } from './shapes.ts'

/** Something that upstream's agent left in the kernel: a rule, or a chain with only such rules. */
export type Leftover = {
  readonly kind: 'rule' | 'chain'
  readonly family: string
  readonly table: string
  readonly chain: string
  /** Of the rule or chain. */
  readonly handle: number
  /** What it does, in words. */
  readonly what: string
}

const is = (chain: ListedChain, type: string, hook: string, prio: number): boolean =>
  chain.type === type && chain.hook === hook && chain.prio === prio

/** Chains that only upstream's agent creates: one per ProxyGroup egress service, one for clamps. */
const itsOwn = (chain: ListedChain): boolean =>
  (chain.table === 'nat' && chain.name !== 'PREROUTING' && is(chain, 'nat', 'prerouting', -100)) ||
  (chain.table === 'filter' && chain.name === 'ts-clamp' && is(chain, 'filter', 'forward', -150))

/** Chains that it shares with others. */
const shared = (chain: ListedChain): boolean =>
  chain.table === 'nat' &&
  ((chain.name === 'PREROUTING' && is(chain, 'nat', 'prerouting', -100)) ||
    (chain.name === 'POSTROUTING' && is(chain, 'nat', 'postrouting', 100)))

/** Whether upstream's agent may have put rules into a chain. */
export const mayHold = (chain: ListedChain): boolean =>
  (chain.family === 'ip' || chain.family === 'ip6') && (itsOwn(chain) || shared(chain))

const key = (family: string, table: string, chain: string): string => `${family} ${table} ${chain}`

/**
 * What upstream's agent left, according to `nft -j --debug=netlink list table …` for all relevant tables. A chain comes
 * after its rules.
 * @throws Error when the text is not such a listing.
 */
export function findLeftovers(listing: string): Leftover[] {
  const { chains, rules } = readListing(listing)
  const candidates = chains.filter(mayHold)
  const clamped = new Set(rules.filter(isClamp).map(({ family }) => family))
  const ofChain = Map.groupBy(rules, ({ family, table, chain }) => key(family, table, chain))
  return candidates.flatMap((chain) => {
    const { family, table, name } = chain
    const held = ofChain.get(key(family, table, name)) ?? []
    const left = held.flatMap(({ handle, ...rule }): Leftover[] => {
      const what = upstreamRule(rule, clamped.has(family))
      return what === undefined ? [] : [{ kind: 'rule', family, table, chain: name, handle, what }]
    })
    if (!itsOwn(chain)) return left
    // Without its chain, a rule can only be removed if nft's language has a word for the chain.
    if (left.length < held.length) return /^[a-z_.][\w./-]*$/i.test(name) ? left : []
    const { handle } = chain
    return left.length === 0
      ? []
      : [...left, { kind: 'chain', family, table, chain: name, handle, what: `chain ${name}` }]
  })
}
