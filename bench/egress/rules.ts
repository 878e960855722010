import type { Recording } from './record.ts'
import type { Side } from '../pair.ts'
import { renderTable } from '../../netfilter/nftables/render.ts'
import { grow, renderListing } from './growth.ts'
import type { LinkBed } from './links.ts'
import type { Probe } from './probe.ts'
import { type Service, services, tableOf } from './services.ts'

/** The address of our node in the tailnet; upstream's is the one with which its rules were recorded. */
export const ownAddress = '100.64.255.1'

/** Where packets are measured: a bed without tailscaled, and what puts a side's rules for so many services into it. */
export type PacketSetup = {
  readonly bed: LinkBed
  readonly probe: Probe
  readonly load: (side: Side, count: number, protocol: Service['protocol']) => Promise<void>
}

/** The same with rules of nftables, and how those of upstream's agent grow. */
export type RulesSetup = PacketSetup & { readonly recording: Recording }

export const rulesSetup = (bed: LinkBed, recording: Recording, probe: Probe): RulesSetup => ({
  bed,
  recording,
  probe,
  load: async (side, count, protocol) => {
    const node = bed.host(side)
    // In a transaction of its own, as chains that a transaction deletes still count for the limit of chains.
    await node.exec(['nft', 'flush', 'ruleset'])
    await node.exec(['nft', '-f', '-'], { input: rulesOf(side, services(count, protocol), recording), timeout: 60_000 })
  },
})

/** A side's rules for these services, as commands of nft for an empty namespace. */
export const rulesOf = (side: Side, list: readonly Service[], { growth }: Recording): string =>
  side === 'ours' ? renderTable(tableOf(list, ownAddress)) : renderListing(grow(growth, list))
