import * as z from 'zod/mini'

const chainSchema = z.object({
  family: z.string(),
  table: z.string(),
  name: z.string(),
  handle: z.number(),
  type: z.optional(z.string()),
  hook: z.optional(z.string()),
  prio: z.optional(z.number()),
})
const ruleSchema = z.object({
  family: z.string(),
  table: z.string(),
  chain: z.string(),
  handle: z.number(),
  comment: z.optional(z.string()),
  expr: z.optional(z.array(z.unknown())),
})
const listingSchema = z.object({ nftables: z.array(z.record(z.string(), z.unknown())) })

/** Base chains have a type, a hook and a priority. */
export type ListedChain = z.infer<typeof chainSchema>

export type ListedRule = z.infer<typeof ruleSchema> & {
  /** The rule's user data as nft prints it, unprintable bytes as `\x00`; undefined when there is none. */
  readonly userData: string | undefined
}

export type Listing = { readonly chains: readonly ListedChain[]; readonly rules: readonly ListedRule[] }

/**
 * Reads one or several outputs of `nft -j list …`. With `--debug=netlink` each JSON text follows the rules in the
 * kernel's own form, the only one that shows user data other than comments.
 * @throws Error when it is invalid.
 */
export function readListing(text: string): Listing {
  const userData = new Map<string, string>()
  const chains: ListedChain[] = []
  const rules: ListedRule[] = []
  let place: string | undefined
  for (const line of text.split('\n')) {
    if (line.startsWith('{')) {
      for (const entry of z.parse(listingSchema, JSON.parse(line)).nftables) {
        if ('chain' in entry) chains.push(z.parse(chainSchema, entry['chain']))
        if ('rule' in entry) {
          const rule = z.parse(ruleSchema, entry['rule'])
          const where = `${rule.family} ${rule.table} ${rule.chain} ${rule.handle}`
          rules.push({ ...rule, userData: userData.get(where) ?? rule.comment })
        }
      }
    } else if (line.startsWith('  userdata = { ')) {
      if (place !== undefined) userData.set(place, line.slice(15).replace(/ \}\s*$/, ''))
    } else if (!line.startsWith(' ')) {
      // Family, table, chain, handle, and the handle of the previous rule.
      place = /^(\S+ \S+ \S+ \d+)(?: \d+)?\s*$/.exec(line)?.[1]
    }
  }
  return { chains, rules }
}
