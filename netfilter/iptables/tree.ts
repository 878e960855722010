import { createHash } from 'node:crypto'

/** A rule without its chain, and the digits (hexadecimal, all of a tree the same number) of what it matches. */
export type Leaf = { readonly digits: string; readonly rule: string }

/** Chains by name, each with its rules in order, as `iptables-save` prints them behind `-A CHAIN `. */
export type Chains = ReadonlyMap<string, readonly string[]>

/** A chain with more rules becomes branches: so many comparisons at most are made in each. */
const mostRules = 16

/** The kernel takes no longer name of a chain. */
const longestName = 28

/**
 * Chains that find the one rule for a packet in few comparisons, however many rules there are: `root`, and below it a
 * chain for each beginning of digits that has several rules. Another rule changes its own branch only.
 * @param match what packets have in common whose digits begin like this.
 */
export function branches(root: string, leaves: readonly Leaf[], match: (beginning: string) => string): Chains {
  const chains = new Map<string, readonly string[]>()
  const grow = (name: string, held: readonly Leaf[]): void => {
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
        group.length === 1 ? group[0]!.rule : `${match(beginning)} -j ${branch}`,
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
