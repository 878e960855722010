import type { Recording } from './record.ts'
import type { Side } from '../pair.ts'
import { renderTable } from '../../netfilter/nftables/render.ts'
import { grow, renderListing } from './growth.ts'
import type { LinkBed } from './links.ts'
import type { Probe } from './probe.ts'
import { type Service, tableOf } from './services.ts'

/** The address of our node in the tailnet; upstream's is the one with which its rules were recorded. */
export const ownAddress = '100.64.255.1'

/** Where rules are measured: a bed without tailscaled, and the rules to load. */
export type RulesSetup = { readonly bed: LinkBed; readonly recording: Recording; readonly probe: Probe }

/** A side's rules for these services, as commands of nft for an empty namespace. */
export const rulesOf = (side: Side, list: readonly Service[], { growth }: Recording): string =>
  side === 'ours' ? renderTable(tableOf(list, ownAddress)) : renderListing(grow(growth, list))

/** Replaces the rules of a side's node. */
export async function load({ bed, recording }: RulesSetup, side: Side, list: readonly Service[]): Promise<void> {
  const node = bed.host(side)
  // In a transaction of its own, as chains that a transaction deletes still count for the limit of chains.
  await node.exec(['nft', 'flush', 'ruleset'])
  await node.exec(['nft', '-f', '-'], { input: rulesOf(side, list, recording), timeout: 60_000 })
}
