import type { RunCommand } from '../../lib/command.ts'
import { iptables } from '../../netfilter/iptables/iptables.ts'
import { keeper as iptablesKeeper } from '../../netfilter/iptables/keeper.ts'
import { keeper as nftablesKeeper } from '../../netfilter/nftables/keeper.ts'
import { nftables } from '../../netfilter/nftables/nftables.ts'
import type { Firewall } from '../../netfilter/firewall.ts'

export const variants = ['nft', 'legacy'] as const
/** All by which the agent can forward. */
export const firewalls = ['nftables', 'iptables-nft', 'iptables-legacy'] as const
export type FirewallName = (typeof firewalls)[number]

/** Rules that `run` writes. */
export function firewallOf(name: FirewallName, run: RunCommand, localAddresses: () => string[] = () => []): Firewall {
  if (name === 'nftables') return nftablesKeeper({ nft: nftables(run), run, localAddresses })
  const variant = name === 'iptables-nft' ? 'nft' : 'legacy'
  const both = ([4, 6] as const).map((family) => iptables(run, family, variant))
  return iptablesKeeper({ iptables: both, run, followsFlows: true, localAddresses })
}
