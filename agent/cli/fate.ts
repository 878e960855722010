import { type Address, inTailnet, withPort } from '../../lib/address.ts'
import { readable } from '../../lib/quote.ts'
import type { Protocol } from '../../netfilter/port-ranges.ts'
import type { Ruleset } from '../forwarding/ruleset.ts'

/** A packet with which a flow begins. */
export type Packet = {
  readonly protocol: Protocol
  readonly address: Address
  readonly port: number
  readonly from: 'tailnet' | 'cluster'
}

/** What becomes of it, and the rule that decides: by its chain and comment, or by table and chain of iptables. */
export type Fate =
  | {
      readonly outcome: 'forwarded'
      readonly rule: string
      /** One of them, at random. */
      readonly to: readonly string[]
      /** The address that is seen there: `Pod`, one of the tailnet, or the client’s own if undefined. */
      readonly seen: string | undefined
      readonly service: string | undefined
    }
  | { readonly outcome: 'refused'; readonly rule: string }
  | { readonly outcome: 'kept'; readonly rule: string | undefined; readonly by: string }
  | { readonly outcome: 'untouched'; readonly rule: string | undefined; readonly why: string }

type Mapping = NonNullable<Ruleset['mappings']>[number]

export const isFromTailnet = (to: Address): boolean => inTailnet(to)

/** What the rules do with a packet; `local`: the addresses of all devices here. Pure. */
export function fateOf(packet: Packet, ruleset: Ruleset, local: ReadonlySet<string>): Fate {
  const { firewall, mappings } = ruleset
  if (firewall === undefined)
    return {
      outcome: 'untouched',
      rule: undefined,
      why: 'this agent writes no rules: tailscaled, or nothing, forwards',
    }
  if (mappings === undefined)
    return { outcome: 'untouched', rule: undefined, why: 'no rules are in place yet: culvert status says why' }
  const mine = mappings.filter(({ from, family }) => from === packet.from && family === packet.address.family)
  const fate = packet.from === 'tailnet' ? fromTailnet(packet, mine, ruleset, local) : fromCluster(packet, mine, local)
  if (firewall !== 'iptables' || fate.rule === undefined) return fate
  return { ...fate, rule: inIptables(fate.rule, packet) }
}

/** The same decisions are made by the rules of these chains. */
function inIptables(rule: string, { protocol }: Packet): string {
  if (rule.startsWith('translate: ingress: ')) return 'nat CULVERT-IN'
  if (rule.startsWith('route: refuse: ')) return 'filter CULVERT-FORWARD'
  if (rule.endsWith('everything to target')) return 'nat CULVERT-ALL'
  return rule.endsWith('addressed to the Pod') ? 'nat PREROUTING' : `nat CULVERT-${protocol.toUpperCase()}`
}

function fromTailnet(packet: Packet, mine: readonly Mapping[], ruleset: Ruleset, local: ReadonlySet<string>): Fate {
  const { text } = packet.address
  const mapping = mine.find((one) => one.address === text)
  if (mapping !== undefined && mapping.ports === undefined) {
    const what = mapping.to.length > 1 ? 'to one of its backends' : 'to backend'
    return forwarded(packet, mapping, `translate: ingress: own address ${what}`, packet.port)
  }
  const port = mapping === undefined ? undefined : portBehind(packet, mapping.ports ?? [])
  if (mapping !== undefined && port !== undefined) {
    const what = port === packet.port ? 'a backend' : 'other ports of a backend'
    return forwarded(packet, mapping, `translate: ingress: ${packet.protocol} ports to ${what}`, port)
  }
  if (local.has(text))
    return { outcome: 'kept', rule: undefined, by: 'tailscaled, or a program that listens in the Pod' }
  if (ruleset.refusesUnmapped && inTailnet(packet.address))
    return { outcome: 'refused', rule: 'route: refuse: no such service' }
  return {
    outcome: 'untouched',
    rule: undefined,
    why: `${text} is no address of this node or of a service that it forwards`,
  }
}

function fromCluster(packet: Packet, mine: readonly Mapping[], local: ReadonlySet<string>): Fate {
  if (!local.has(packet.address.text)) {
    const rule = 'translate: egress: only what is addressed to the Pod'
    return { outcome: 'untouched', rule, why: `${packet.address.text} is no address of the Pod` }
  }
  const key = `${packet.protocol}/${packet.port}`
  const ofPort = mine.find(({ ports }) => ports?.includes(key))
  if (ofPort !== undefined) return forwarded(packet, ofPort, 'translate: egress: port to target', undefined)
  const all = mine.find(({ ports }) => ports === undefined)
  if (all === undefined) return { outcome: 'kept', rule: undefined, by: 'a program that listens in the Pod' }
  if (all.exempt.includes(key)) {
    const by = 'the agent or tailscaled, which listen there'
    return { outcome: 'kept', rule: 'translate: egress: the Pod’s own ports', by }
  }
  return forwarded(packet, all, 'translate: egress: everything to target', packet.port)
}

/** `port`: undefined if the targets have theirs. */
const forwarded = (
  { address: { family } }: Packet,
  mapping: Mapping,
  rule: string,
  port: number | undefined,
): Fate => ({
  outcome: 'forwarded',
  rule,
  to: mapping.to.map((text) => (port === undefined ? text : withPort({ family, text }, port))),
  seen: mapping.seen,
  service: mapping.service,
})

/** The backend's port behind one of these, as `rangeText` writes them; undefined if none has this port. */
function portBehind({ protocol, port }: Packet, ranges: readonly string[]): number | undefined {
  for (const range of ranges) {
    const [, kind, first, last, to] = /^(tcp|udp)\/(\d+)(?:-(\d+))?(?::(\d+))?$/.exec(range) ?? []
    if (kind === protocol && port >= Number(first) && port <= Number(last ?? first)) return Number(to ?? port)
  }
  return undefined
}

/** The same for people. */
export function fateInWords({ protocol, address, port, from }: Packet, fate: Fate): string {
  const what = `A new ${protocol === 'tcp' ? 'TCP connection' : 'UDP flow'} from the ${from} to ${withPort(address, port)}`
  const rule =
    'rule' in fate && fate.rule !== undefined ? `The rule that decides is "${fate.rule}".\n` : 'No rule matches.\n'
  return `${readable(`${what} ${endOf(fate)}.`)}\n${rule}`
}

function endOf(fate: Fate): string {
  if (fate.outcome === 'forwarded') {
    const { to, seen, service } = fate
    const as = seen === undefined ? 'the client’s own address' : seen === 'Pod' ? 'the Pod' : seen
    const where = to.length === 1 ? `to ${to[0]}` : `to one of ${to.length}, at random: ${to.join(', ')}`
    return `is forwarded ${where}, seen there as ${as}${service === undefined ? '' : ` (${service})`}`
  }
  if (fate.outcome === 'refused') return 'is refused: no service that is forwarded has this address'
  if (fate.outcome === 'kept') return `stays here, for ${fate.by}`
  return `is left to the kernel’s routes: ${fate.why}`
}
