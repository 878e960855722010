import { ownChains, type TableName, tableNames } from './rules.ts'
import type { Chains } from './tree.ts'

/** A rule outside our chains that leads into one of them. */
export type HeldJump = {
  readonly from: string
  readonly to: string
  /** The whole rule, as `iptables-save` prints it behind `-A CHAIN `. */
  readonly rule: string
  /** How many rules come before it. */
  readonly position: number
}

/** What one of the kernel's tables holds of ours. */
export type HeldTable = { readonly jumps: readonly HeldJump[]; readonly chains: Chains }

export type Held = Readonly<Record<TableName, HeldTable>>

/** Reads `iptables-save` as far as it concerns our chains. */
export function readListing(text: string): Held {
  const made = () => ({ jumps: [] as HeldJump[], chains: new Map<string, string[]>() })
  const held = { mangle: made(), filter: made(), nat: made() }
  let table: ReturnType<typeof made> | undefined
  /** The rules so far of each chain that is not ours. */
  let counts = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) {
      const name = tableNames.find((one) => line === `*${one}`)
      table = name && held[name]
      counts = new Map()
    } else if (table === undefined) continue
    else if (line.startsWith(`:${ownChains}`)) table.chains.set(line.slice(1, line.indexOf(' ')), [])
    else if (line.startsWith('-A ')) {
      const [, chain = '', rule = ''] = /^-A (\S+) ?(.*)$/.exec(line) ?? []
      const ours = table.chains.get(chain)
      if (ours !== undefined) {
        ours.push(rule)
        continue
      }
      const position = counts.get(chain) ?? 0
      counts.set(chain, position + 1)
      const to = leadsTo.exec(rule)?.[1]
      if (to !== undefined) table.jumps.push({ from: chain, to, rule, position })
    }
  }
  return held
}

const leadsTo = new RegExp(`(?:^| )-[jg] (${ownChains}\\S+)$`)

/** The part of a listing that says something: neither when it was made nor how many packets there were. */
export const withoutCounts = (listing: string): string =>
  listing.replaceAll(/^#.*\n?/gm, '').replaceAll(/^(:\S+ \S+) \[\d+:\d+\]$/gm, '$1')
