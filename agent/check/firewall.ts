import { declareFindings } from '../../lib/declared-finding.ts'
import { describe } from '../../lib/errors.ts'
import type { Finding } from '../../lib/finding.ts'
import { probeFirewalls, type Probed } from '../../netfilter/backend.ts'
import { kernelFamilies } from '../../netfilter/sysctl.ts'
import { forwards } from '../forwarding/forwards.ts'
import { firewallOptions } from '../lifecycle/kernel.ts'
import type { Settings } from '../settings/settings.ts'
import { hasSeveralTargets } from '../targets/destination.ts'
import type { Look } from './looking.ts'

export const firewall = declareFindings('firewall', {
  ok: { level: 'ok', text: '{what}', meaning: 'The rules can be made, or none are needed.' },
  none: {
    level: 'error',
    text: 'no firewall can be used here, by rules that were made and deleted: {problem}',
    remedy:
      'The node’s kernel needs nf_tables with NAT and nf_conntrack_netlink, or ip_tables with NAT; load these modules on the node.',
    meaning:
      'Rules of every kind that the agent writes were tried with nftables, iptables-nft and iptables-legacy. None worked, and nothing can be forwarded.',
  },
  fallback: {
    level: 'warning',
    text: 'iptables is used, since nftables cannot be: {problem}',
    remedy: 'Load nf_tables with NAT and nf_conntrack_netlink on the node; docs/firewall.md says how iptables differs.',
    meaning: 'Everything is forwarded, but changes take longer, and depend on the lock of iptables.',
  },
  several: {
    level: 'error',
    text: '{problem}',
    meaning: 'Tried by rules that choose one of two backends. Your settings have several.',
  },
})

export const lookAtFirewall: Look = async ({ settings, agent, run }) => {
  if (!forwards({ settings })) return [firewall.ok({ what: 'nothing is forwarded in the kernel, so none is needed' })]
  const chosen = agent?.status.firewall
  if (chosen != null) return judgeChosen(chosen)
  const silent = (): void => {}
  const options = {
    ...firewallOptions(settings, await kernelFamilies(settings.root), silent),
    run,
    runAhead: (program: string, args: readonly string[]) => (input: string) => run(program, args, { input }),
  }
  return judgeProbed(await probeFirewalls(options), settings.firewallMode, hasSeveralTargets(settings))
}

/** What the running agent has chosen; probing beside it would only look as if somebody else changed rules. */
export function judgeChosen({ name, reason }: { readonly name: string; readonly reason: string }): readonly Finding[] {
  const [, refused] = /nftables cannot be used: (.*)/.exec(reason) ?? []
  if (refused !== undefined) return [firewall.fallback({ problem: refused })]
  return [firewall.ok({ what: `${name} is in use, since ${reason}` })]
}

/** What the agent would choose. */
export function judgeProbed(
  probed: readonly Probed[],
  mode: Settings['firewallMode'],
  several: boolean,
): readonly Finding[] {
  const allowed = probed.filter(({ name }) => mode === 'auto' || mode === name)
  const first = allowed.find(({ refused, lacks }) => refused === undefined && !(several && lacks !== undefined))
  const reasons = allowed.flatMap(({ name, refused, lacks }) =>
    refused === undefined && lacks === undefined ? [] : [`${name}: ${describe(refused ?? lacks)}`],
  )
  if (first === undefined) {
    const lacks = allowed.find((one) => one.refused === undefined)?.lacks
    return [lacks === undefined ? firewall.none({ problem: reasons.join('; ') }) : firewall.several({ problem: lacks })]
  }
  if (first.name === 'iptables' && mode === 'auto') return [firewall.fallback({ problem: reasons.join('; ') })]
  return [firewall.ok({ what: `${first.name} can be used: its rules could be made and deleted` })]
}
