import { tailnetRanges } from '../../lib/address.ts'
import type { RunCommand } from '../../lib/command.ts'
import type { CountedModes, Traffic } from '../traffic.ts'
import { unmappedTo } from './chains.ts'
import { applyInput, isAbsent } from './nftables.ts'
import { tableName } from './render.ts'
import { readTraffic } from './traffic-listing.ts'

/** Beside the table of the rules, which is not touched. */
export const trafficTable = `${tableName}-traffic`

/**
 * Elements that a set may have: all ports, for both protocols, families and directions. Of this number the kernel takes
 * the low 16 bits as a hint how large the set will become, and reserves memory for that: here none.
 */
const mostElements = 524_288

/** What a set counts: all packets, the first of a flow, answers that refuse one. */
const kinds = ['carried', 'begun', 'refused'] as const
type Kind = (typeof kinds)[number]

/** Where flows are sent to: its set of each kind has this type, and elements by this key. */
type Place = {
  readonly name: string
  readonly type: string
  readonly key: string
  /** The protocols of its errors. */
  readonly icmp: readonly ('icmp' | 'icmpv6')[]
  /** Whether the key has a port. */
  readonly ports?: true
}

const addresses: readonly Place[] = [
  { name: '4', type: 'ipv4_addr', key: 'ct original ip daddr', icmp: ['icmp'] },
  { name: '6', type: 'ipv6_addr', key: 'ct original ip6 daddr', icmp: ['icmpv6'] },
]
const egressPlace: Readonly<Record<NonNullable<CountedModes['egress']>, Place>> = {
  'by-port': {
    name: 'ports',
    type: 'nf_proto . inet_proto . inet_service',
    key: 'meta nfproto . ct protocol . ct original proto-dst',
    icmp: ['icmp', 'icmpv6'],
    ports: true,
  },
  together: { name: 'pod', type: 'nf_proto', key: 'meta nfproto', icmp: ['icmp', 'icmpv6'] },
}

/** Every set is `dynamic`: the kernel itself adds an element with the first packet, so that nothing follows services. */
function sets(places: readonly Place[]): string[] {
  return places.flatMap(({ name, type }) =>
    kinds.map((kind) => `set ${kind}_${name} { type ${type} . ct_dir; size ${mostElements}; flags dynamic; }`),
  )
}

const count = (kind: Kind, { name, key }: Place): string => `add @${kind}_${name} { ${key} . ct direction counter }`

/**
 * Nearly all packets belong to flows that both sides have used for a while (`assured`), for which one comparison leads
 * to the counter.
 */
function chainsOf(way: string, places: readonly Place[]): string[] {
  if (places.length === 0) return []
  const each = (rule: (place: Place) => string): string[] => places.map(rule)
  /** nft must know that there are ports before it reads one. */
  const withPorts = ({ ports }: Place): string => (ports === true ? 'meta l4proto { tcp, udp } ' : '')
  return [
    chain(`${way}_early`, [
      // Flows of datagrams are `assured` only after two seconds.
      'ct status & (dnat | confirmed | seen-reply) == (dnat | confirmed | seen-reply) meta l4proto != tcp return',
      'ct status & dnat == 0 accept',
      // The kernel confirms a flow when its first packet has passed: one that is repeated does not count again.
      ...each((place) => `ct status & confirmed == 0 ${withPorts(place)}${count('begun', place)}`),
      // RFC 9293, 3.10.7.1: only the answer to a SYN for which nobody listens has the number zero and acknowledges.
      ...each(
        (place) =>
          `ct direction reply tcp flags & (rst | ack) == (rst | ack) tcp sequence 0 ${count('refused', place)}`,
      ),
      ...places.flatMap((place) =>
        place.icmp.map((icmp) => `ct direction reply ${icmp} type destination-unreachable ${count('refused', place)}`),
      ),
    ]),
    chain(way, [
      `ct status & (dnat | confirmed | assured) != (dnat | confirmed | assured) jump ${way}_early`,
      ...each((place) => `${withPorts(place)}${count('carried', place)}`),
    ]),
  ]
}

const chain = (name: string, rules: readonly string[]): string => `chain ${name} {\n    ${rules.join('\n    ')}\n  }`

/** The table, as commands that replace the one of an earlier agent. */
export function renderTraffic({ device, ingress, egress, unmapped }: CountedModes): string {
  const inward = ingress ? addresses : []
  const outward = egress === undefined ? [] : [egressPlace[egress]]
  const tun = `"${device}"`
  const enter = (way: string, places: readonly Place[], to: string, back: string): string[] =>
    places.length === 0
      ? []
      : [`${to} ${tun} ct direction original goto ${way}`, `${back} ${tun} ct direction reply goto ${way}`]
  const parts = [
    ...(unmapped ? ['counter unmapped { }'] : []),
    ...sets([...inward, ...outward]),
    ...chainsOf('inward', inward),
    ...chainsOf('outward', outward),
    chain('forward', [
      // Behind all that may drop a packet.
      'type filter hook forward priority security; policy accept;',
      ...enter('inward', inward, 'iifname', 'oifname'),
      ...enter('outward', outward, 'oifname', 'iifname'),
    ]),
    // The rules refuse these packets right behind.
    ...(unmapped
      ? [
          chain('unmapped', [
            'type filter hook prerouting priority dstnat + 1; policy accept;',
            ...tailnetRanges.map((range) => `${unmappedTo(tun, range)} counter name unmapped`),
          ]),
        ]
      : []),
  ]
  return [
    `table inet ${trafficTable}`,
    `delete table inet ${trafficTable}`,
    `table inet ${trafficTable} {`,
    ...parts.map((part) => `  ${part}`),
    '}',
    '',
  ].join('\n')
}

/** Counts by nftables. `remove` deletes the table, if there may be one; nothing is counted from then on. */
export function trafficCounters(run: RunCommand): Traffic & { readonly remove: () => Promise<void> } {
  let last: Promise<unknown> | undefined
  let removed = false
  const load = (input: string): Promise<string> => run('nft', applyInput, { input })
  return {
    begin: async (modes) => {
      if (removed) return
      last = load(renderTraffic(modes))
      await last
    },
    read: async () => {
      try {
        return readTraffic(await run('nft', ['list', 'table', 'inet', trafficTable]), trafficTable)
      } catch (error) {
        if (isAbsent(error)) return undefined
        throw error
      }
    },
    remove: async () => {
      removed = true
      if (last === undefined) return
      await last.catch(() => {})
      await load(`table inet ${trafficTable}\ndelete table inet ${trafficTable}\n`)
    },
  }
}
