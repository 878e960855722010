import { type Address, families, type Family } from '../lib/address.ts'
import { backendPort } from './port-ranges.ts'
import { backendsOf, byFamily, type ByFamily, type ForwardingTable, type PortKey } from './table.ts'

/** One tracked flow. Ports are undefined for protocols without ports. */
export type Flow = {
  readonly family: Family
  /** Its name, or its number if conntrack has no name for it. */
  readonly protocol: string
  /** Its destination before translation. */
  readonly destination: string
  readonly port: number | undefined
  /** Address and port that answer it, after translation. */
  readonly answeredBy: string
  readonly answeredFrom: number | undefined
  /** The destination of the answers: the node, for flows into the tailnet. */
  readonly answeredTo: string
  /** Whether it is a closed or reset connection that is only remembered. */
  readonly closed: boolean
  /** The mark of the connection, if it has one. */
  readonly mark?: number
}

/**
 * Whether the flows of an address that the table no longer has must end: an own address or a target that has left the
 * tailnet, or a backend of ingress that is gone for good.
 */
export type IsGone = (kind: 'own' | 'target' | 'backend', address: Address) => boolean

/** The addresses by which our flows are recognised: own addresses as destinations, and targets that answer. */
export type TrackedAddresses = Readonly<Record<'own' | 'targets', ByFamily<ReadonlySet<string>>>>

export const noLingering: TrackedAddresses = { own: byFamily(() => new Set()), targets: byFamily(() => new Set()) }

/** Whether any flows continue whose mapping is gone. */
export const anyLingering = ({ own, targets }: TrackedAddresses): boolean =>
  families.some((family) => own[family].size > 0 || targets[family].size > 0)

/** Whether any of them are at an address that has left the tailnet. */
export const anyOverdue = (lingering: TrackedAddresses, isGone: IsGone): boolean =>
  families.some((family) =>
    (['own', 'targets'] as const).some((kind) =>
      [...lingering[kind][family]].some((text) => isGone(kind === 'own' ? kind : 'target', { family, text })),
    ),
  )

/** Flows to end, and addresses whose mapping is gone, or has another target, while flows linger. */
export type Classification = { readonly ended: readonly Flow[]; readonly lingering: TrackedAddresses }

/**
 * Classifies all flows for the change of the kernel's table into `table`. A flow whose translation stays continues. If
 * it goes, a TCP connection continues as long as its address is in the tailnet, like connections of a Service without
 * endpoints; other flows move to the new way at once. Flows that began before their translation existed end too unless
 * they are TCP: conntrack would keep them untranslated for as long as the client sends. TCP connections to an own port
 * that is not forwarded any more end, too, since tailscaled gets their packets now. `known` is what the kernel had
 * before, `local` are the Pod's own addresses.
 */
export function classifyFlows(
  flows: readonly Flow[],
  {
    known,
    table,
    isGone,
    local,
  }: { known: TrackedAddresses; table: ForwardingTable; isGone: IsGone; local: ReadonlySet<string> },
): Classification {
  const ended: Flow[] = []
  const lingering = { own: byFamily(() => new Set<string>()), targets: byFamily(() => new Set<string>()) }
  for (const flow of flows) {
    const { family, protocol, destination, answeredBy } = flow
    if (destination === answeredBy) {
      if (protocol !== 'tcp' && isTranslated(flow, table, local)) ended.push(flow)
      continue
    }
    const inward = known.own[family].has(destination)
    if (!inward && !known.targets[family].has(answeredBy)) continue
    const text = inward ? destination : answeredBy
    const stays = inward ? leadsInward(flow, table) : leadsTo(flow, table)
    const goesOn =
      stays ||
      (protocol === 'tcp' &&
        !isGone(inward ? 'own' : 'target', { family, text }) &&
        (inward
          ? !isGone('backend', { family, text: answeredBy }) && !isLeftOut(flow, table)
          : flow.answeredTo === table.source[family]))
    if (!goesOn) ended.push(flow)
    else if (inward && !stays) lingering.own[family].add(text)
    else if (!inward && !table.targets[family].has(text)) lingering.targets[family].add(text)
  }
  return { ended, lingering }
}

/** Whether a new flow like this untranslated one would be translated. */
function isTranslated(flow: Flow, table: ForwardingTable, local: ReadonlySet<string>) {
  const { family, protocol, destination, port } = flow
  if (table.own[family].has(destination)) return !isLeftOut(flow, table)
  if (!local.has(destination)) return false
  const mapped = mappedFor(protocol, port, family, table)
  return mapped !== undefined || (table.catchAll[family] !== undefined && !isExempt(protocol, port, table))
}

/** Whether a new flow like this one from the tailnet could go the same way. */
function leadsInward(flow: Flow, table: ForwardingTable): boolean {
  const { family, protocol, destination, port, answeredBy, answeredFrom } = flow
  if (!backendsOf(table, family, destination).includes(answeredBy)) return false
  const byPort = portsOf(flow, table)
  return byPort === undefined || backendPort(byPort, protocol, port) === answeredFrom
}

/** Whether its address is forwarded by port, but not its port. */
function isLeftOut(flow: Flow, table: ForwardingTable): boolean {
  const byPort = portsOf(flow, table)
  return byPort !== undefined && backendPort(byPort, flow.protocol, flow.port) === undefined
}

/** The ports of its address that are forwarded, if it is forwarded by port. */
function portsOf({ family, destination }: Flow, table: ForwardingTable) {
  const byPort = table.ingressByPort[family]
  return byPort?.addresses.includes(destination) ? byPort.ports : undefined
}

/** Whether a new flow into the tailnet like this one would go the same way. */
function leadsTo({ family, protocol, port, answeredBy, answeredFrom, answeredTo }: Flow, table: ForwardingTable) {
  if (answeredTo !== table.source[family]) return false
  const mapped = mappedFor(protocol, port, family, table)
  if (mapped !== undefined) return mapped === `${answeredBy} . ${answeredFrom}`
  return table.catchAll[family] === answeredBy && !isExempt(protocol, port, table)
}

/** Protocols without ports have no keys. */
const keyOf = (protocol: string, port: number | undefined): PortKey | undefined =>
  port !== undefined && (protocol === 'tcp' || protocol === 'udp') ? `${protocol} . ${port}` : undefined

function mappedFor(protocol: string, port: number | undefined, family: Family, table: ForwardingTable) {
  const key = keyOf(protocol, port)
  return key === undefined ? undefined : table.ports[family].get(key)
}

function isExempt(protocol: string, port: number | undefined, { exempt }: ForwardingTable): boolean {
  const key = keyOf(protocol, port)
  return key !== undefined && exempt.includes(key)
}
