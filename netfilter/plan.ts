import { type Address, type Family, families, familyName } from '../lib/address.ts'
import { memoOf } from '../lib/memo.ts'
import { type Entry, mapOf } from './in-order.ts'
import type { PortRange } from './port-ranges.ts'
import { byFamily, type ForwardingTable, forwardingTable, type IngressByPort, type PortKey } from './table.ts'

export type ForwardingInput = {
  /** The tunnel's device. */
  readonly device: string
  /** The node's own tailnet addresses. */
  readonly own: readonly Address[]
  /** Address families that the kernel supports in this network namespace. */
  readonly kernelFamilies: readonly Family[]
  /** Families of the Pod's addresses: with other families it neither reaches Services nor is reached by the cluster. */
  readonly podFamilies: readonly Family[]
  /** The daemon's NoSNAT preference: backends see the addresses of clients. */
  readonly noSnat: boolean
  /** L3 ingress: a new flow goes to any of the targets of its family, with equal probability. */
  readonly targets: readonly Address[]
  /** The ports of the node that lead to them; undefined: everything does. */
  readonly targetPorts: readonly PortRange[] | undefined
  /** L3 egress: addresses of the one target in the tailnet, or the node's own for cluster traffic via ingress. */
  readonly catchAll: readonly Address[]
  /** The Pod's own ports, which `catchAll` does not redirect. */
  readonly exempt: readonly PortKey[]
  /** ProxyGroup egress. */
  readonly egress: readonly EgressInput[]
  /** ProxyGroup ingress; undefined when the mode is off. */
  readonly ingress: readonly IngressInput[] | undefined
}

export type EgressInput = {
  readonly name: string
  /** The addresses that it routes to; empty while unknown. */
  readonly addresses: readonly Address[]
  readonly ports: readonly EgressPortInput[]
}

export type EgressPortInput = {
  readonly protocol: 'tcp' | 'udp'
  readonly matchPort: number
  readonly targetPort: number
}

export type IngressInput = {
  readonly name: string
  readonly mappings: readonly { readonly address: Address | undefined; readonly backend: Address }[]
}

/** An address without a rule, and why. */
export type Unreachable = { readonly target: Address; readonly reason: string }

/** The result for one service. */
export type ServicePlan = {
  /** The addresses with rules: of targets in the tailnet, or of the Tailscale Service. */
  readonly programmed: readonly Address[]
  readonly unreachable: readonly Unreachable[]
}

export type ForwardingPlan = {
  readonly table: ForwardingTable
  /** Problems of the targets that do not belong to a service. */
  readonly unreachable: readonly Unreachable[]
  readonly egress: ReadonlyMap<string, ServicePlan>
  readonly ingress: ReadonlyMap<string, ServicePlan>
}

/**
 * Plans one table for everything that must be forwarded. An address family that kernel or node lack only affects its
 * own entries. The result does not depend on the order of services.
 */
export function planForwardingTable(input: ForwardingInput): ForwardingPlan {
  const own = byFamily((family) => input.own.filter((address) => address.family === family))
  const kernelLacks = (family: Family): string | undefined =>
    input.kernelFamilies.includes(family)
      ? undefined
      : `the kernel does not forward ${familyName(family)} in this network namespace`
  const lacks = (family: Family): string | undefined =>
    kernelLacks(family) ??
    (own[family].length > 0 ? undefined : `the node has no ${familyName(family)} address in the tailnet`)

  const ingress = byFamily(() => new Map<string, readonly string[]>())
  const ingressByPort = byFamily<IngressByPort | undefined>(() => undefined)
  const ports = byFamily((): Entry<PortKey>[] => [])
  const catchAll = byFamily<string | undefined>(() => undefined)
  const unreachable: Unreachable[] = []
  const programmedOf = (addresses: readonly Address[], reason = lacks): ServicePlan => ({
    programmed: addresses.filter(({ family }) => reason(family) === undefined),
    unreachable: addresses.flatMap((target) => {
      const why = reason(target.family)
      return why === undefined ? [] : [{ target, reason: why }]
    }),
  })

  const podLacks = (family: Family): string | undefined =>
    input.podFamilies.includes(family) ? undefined : `the Pod has no ${familyName(family)} address`
  /** Cluster-side targets. A missing family is fine while the other works. */
  const fromCluster = (addresses: readonly Address[]): ServicePlan => {
    const reached = programmedOf(addresses.filter(({ family }) => podLacks(family) === undefined))
    return reached.programmed.length > 0
      ? reached
      : programmedOf(addresses, (family) => podLacks(family) ?? lacks(family))
  }

  const targets = programmedOf(input.targets)
  for (const family of families) {
    const backends = textsOf(targets.programmed.filter((target) => target.family === family))
    if (backends.length === 0) continue
    const addresses = own[family].map(({ text }) => text)
    if (input.targetPorts !== undefined) ingressByPort[family] = { addresses, backends, ports: input.targetPorts }
    else for (const address of addresses) ingress[family].set(address, backends)
  }
  const all = fromCluster(input.catchAll)
  for (const { family, text } of all.programmed) catchAll[family] ??= text
  unreachable.push(...targets.unreachable, ...all.unreachable)

  const egressServices = new Map<string, ServicePlan>()
  for (const { name, addresses, ports: wanted } of input.egress) {
    const planned = fromCluster(addresses)
    egressServices.set(name, planned)
    for (const family of families) {
      // Every node has one per family; if a name has several, its first is always used.
      const target = planned.programmed.find((address) => address.family === family)?.text
      if (target === undefined) continue
      for (const port of wanted) ports[family].push(entryOf(port, family, target))
    }
  }

  // The node's own addresses do not matter: the control server decides what arrives for the service.
  const toCluster = (family: Family): string | undefined => kernelLacks(family) ?? podLacks(family)
  const ingressServices = new Map<string, ServicePlan>()
  for (const { name, mappings } of input.ingress ?? []) {
    const present = mappings.flatMap(({ address, backend }) => (address === undefined ? [] : [{ address, backend }]))
    ingressServices.set(
      name,
      programmedOf(
        present.map(({ address }) => address),
        toCluster,
      ),
    )
    for (const { address, backend } of present) {
      if (toCluster(address.family) === undefined) ingress[address.family].set(address.text, onlyBackend(backend))
    }
  }

  const table = forwardingTable({
    device: input.device,
    ingress,
    ingressByPort,
    masquerade: !input.noSnat,
    refuseUnmapped: input.ingress !== undefined,
    ports: byFamily((family) => mapOf(ports[family])),
    catchAll,
    exempt: input.catchAll.length === 0 ? [] : input.exempt.toSorted(),
    source: byFamily((family) => own[family][0]?.text),
  })
  return { table, unreachable, egress: egressServices, ingress: ingressServices }
}

/** Sorted, so that the same targets in another order give the same rules. */
const textsOf = (addresses: readonly Address[]): string[] => addresses.map(({ text }) => text).toSorted()

/** One list per backend, so that unchanged tables share lists and compare quickly. */
const onlyBackend = memoOf(({ text }: Address): readonly string[] => [text])

/** The entry of a port, reused for the same target, so that unchanged tables share entries and compare quickly. */
function entryOf(port: EgressPortInput, family: Family, target: string): Entry<PortKey> {
  const { key, made } = madeOf(port)
  let last = made[family]
  if (last?.target !== target) {
    last = { target, entry: { key, value: `${target} . ${port.targetPort}` } }
    made[family] = last
  }
  return last.entry
}

const madeOf = memoOf(({ protocol, matchPort }: EgressPortInput) => ({
  key: `${protocol} . ${matchPort}` satisfies PortKey,
  made: byFamily((): { readonly target: string; readonly entry: Entry<PortKey> } | undefined => undefined),
}))

/** Whether there is something to forward, but no address at all can be reached. */
export const nothingReachable = ({ table, unreachable }: ForwardingPlan): boolean =>
  unreachable.length > 0 &&
  families.every((family) => table.own[family].size === 0 && table.catchAll[family] === undefined)
