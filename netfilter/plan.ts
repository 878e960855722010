import { type Address, type Family, families, familyName } from '../lib/address.ts'
import type { ForwardingTable, Unreachable } from './table.ts'

export type IngressInput = {
  /** At most one of each family. */
  readonly targets: readonly Address[]
  /** The node's own tailnet addresses. */
  readonly own: readonly Address[]
  /** The families that the kernel carries in this network namespace. */
  readonly kernelFamilies: readonly Family[]
  /** The daemon's NoSNAT preference: clients' addresses are to reach the backends. */
  readonly noSnat: boolean
}

export type IngressPlan = { readonly table: ForwardingTable; readonly unreachable: readonly Unreachable[] }

/**
 * L3 ingress (agent.md §5, `TS_DEST_IP`): every own address of a target's family leads to that target. A target of a
 * family that the kernel or the node lacks costs only itself.
 */
export function planIngress(input: IngressInput): IngressPlan {
  const ingress = { 4: new Map<string, string>(), 6: new Map<string, string>() }
  const unreachable: Unreachable[] = []
  for (const target of input.targets) {
    const own = input.own.filter((address) => address.family === target.family)
    const reason = missing(target.family, own, input.kernelFamilies)
    if (reason !== undefined) unreachable.push({ target, reason })
    else for (const address of own) ingress[target.family].set(address.text, target.text)
  }
  return { table: { ingress, masquerade: !input.noSnat }, unreachable }
}

function missing(family: Family, own: readonly Address[], kernel: readonly Family[]): string | undefined {
  if (!kernel.includes(family)) return `the kernel has no ${familyName(family)} in this network namespace`
  if (own.length > 0) return undefined
  return `the node has no ${familyName(family)} address in the tailnet`
}

/** Whether no target at all can be reached, so that the agent would be of no use. */
export const nothingReachable = (plan: IngressPlan): boolean =>
  plan.unreachable.length > 0 && families.every((family) => plan.table.ingress[family].size === 0)
