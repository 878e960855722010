import { createHash } from 'node:crypto'

/** A rule without its chain, and the hexadecimal digits that it matches, the same number in the whole tree. */
export type Leaf = { readonly digits: string; readonly rule: string }

/** Chains by name, each with its rules in order, as `iptables-save` prints them after `-A CHAIN `. */
export type Chains = ReadonlyMap<string, readonly string[]>

/** A chain with more rules is split into branches, so a packet is compared with at most this many in each. */
const mostRules = 16

/** The kernel's limit for the name of a chain. */
const longestName = 28

/**
 * Chains that find the one rule for a packet in few comparisons, however many rules there are: `root`, and below it a
 * chain for each prefix of digits that several rules share. Adding a rule changes only its branch.
 * @param match the match for packets of these leaves, whose digits have this prefix.
 */
export function branches<Kind extends Leaf>(
  root: string,
  leaves: readonly Kind[],
  match: (beginning: string, group: readonly Kind[]) => string,
): Chains {
  const chains = new Map<string, readonly string[]>()
  const grow = (name: string, held: readonly Kind[]): void => {
    if (held.length <= mostRules) {
      chains.set(
        name,
        held.map(({ rule }) => rule),
      )
      return
    }
    const shared = sharedBeginning(held[0]!.digits, held.at(-1)!.digits)
    const groups = [...Map.groupBy(held, ({ digits }) => digits.slice(0, shared + 1))].map(([beginning, group]) => ({
      group,
      beginning,
      branch: nameOf(root, beginning),
    }))
    chains.set(
      name,
      groups.map(({ group, beginning, branch }) =>
        group.length === 1 ? group[0]!.rule : `${match(beginning, group)} -j ${branch}`,
      ),
    )
    for (const { group, branch } of groups) if (group.length > 1) grow(branch, group)
  }
  grow(
    root,
    leaves.toSorted((one, other) => (one.digits < other.digits ? -1 : 1)),
  )
  return chains
}

function sharedBeginning(one: string, other: string): number {
  let length = 0
  while (length < one.length && one[length] === other[length]) length += 1
  return length
}

/** The name of a chain below `root`; one that would be too long has a digest instead. */
export function nameOf(root: string, beginning: string): string {
  const name = `${root}-${beginning}`
  if (name.length <= longestName) return name
  const digest = createHash('sha256').update(beginning).digest('hex')
  return `${root}-${digest}`.slice(0, longestName)
}
