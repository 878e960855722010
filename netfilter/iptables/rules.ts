import { type Family, tailnetRanges } from '../../lib/address.ts'
import { memoOf } from '../../lib/memo.ts'
import { type Entry, inOrder } from '../in-order.ts'
import type { ForwardingTable } from '../table.ts'
import { digitsOf, kernelText, prefixOf } from './address-text.ts'
import { byPortChains, leadToPort, portDigits, portsChain } from './by-port.ts'
import { leadTo, spreadChain, spreadChains } from './spread.ts'
import { anyOfOurs, asHost, connection, markConnection, marks, unmarked } from './marks.ts'
import { branches, type Chains, type Leaf } from './tree.ts'

/** The prefix of our chains' names, and of no others. */
export const ownChains = 'CULVERT-'

/** In the order in which they are written: the guard exists before anything is translated. */
export const tableNames = ['mangle', 'filter', 'nat'] as const
export type TableName = (typeof tableNames)[number]

/** A jump from a chain of the kernel into one of ours. */
export type Jump = {
  readonly from: string
  readonly to: string
  /** Matches of the packets that it is for; undefined: it is for all. */
  readonly match?: string
  /** Whether it must be the first rule. */
  readonly first?: boolean
}

/** The rule of a jump, as `iptables-save` prints it after `-A CHAIN `. */
export const jumpRule = ({ match, to }: Jump): string => (match === undefined ? `-j ${to}` : `${match} -j ${to}`)

/** Our desired rules in one of the kernel's tables. */
export type TableRules = { readonly jumps: readonly Jump[]; readonly chains: Chains }

/** All rules of an address family. */
export type Rules = Readonly<Record<TableName, TableRules>>

const original = '-m conntrack --ctdir ORIGINAL'
const reply = '-m conntrack --ctdir REPLY'
const begins = '--tcp-flags FIN,SYN,RST,ACK SYN'
const clamp = '-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu'

/**
 * The rules of one family for a table, as `iptables-save` prints them. Comparing a packet with a rule takes the kernel
 * some 50 ns, and as much for each match (a comment is one, too), so packets of existing connections pass as few as
 * possible: the chains for some of them are entered by a jump with a match.
 */
export function rulesOf(table: ForwardingTable, family: Family): Rules {
  const { device, masquerade, refuseUnmapped, catchAll, source, exempt } = table
  const [into, outOf, elsewhere] = [`-o ${device}`, `-i ${device}`, `! -o ${device}`]
  const unreachable = family === 4 ? 'icmp-port-unreachable' : 'icmp6-port-unreachable'
  const ranges = tailnetRanges.filter((range) => range.family === family).map(({ text }) => text)
  const [target, address] = [catchAll[family], source[family]]
  // Addressed to the Pod, and not by peers. The Pod itself refuses late packets of flows that conntrack has forgotten.
  const toPod = (protocol: '' | Protocol): string =>
    `! ${outOf}${protocol && ` -p ${protocol}`} -m addrtype --dst-type LOCAL${protocol === 'tcp' ? ` -m tcp ${begins}` : ''}`
  const inward = ingressChains(table, family)
  const outward = protocols.flatMap((protocol) => egressChains(table, family, protocol))
  return {
    mangle: {
      jumps: [
        { from: 'PREROUTING', to: 'CULVERT-ROUTE', match: outOf },
        { from: 'FORWARD', to: 'CULVERT-INTO', match: into },
        { from: 'FORWARD', to: 'CULVERT-OUTOF', match: outOf },
        // Unmapped packets would also leave by the tunnel.
        { from: 'POSTROUTING', to: 'CULVERT-GUARD', ...(!refuseUnmapped && { match: elsewhere }) },
      ],
      chains: new Map([
        // To backends, and answers to the cluster: tailscaled lets nothing else of ours in, since the Pod's own address is
        // no address of the node. A connection's first packet is marked where it is translated.
        ['CULVERT-ROUTE', [`${anyOfOurs} ${asHost}`]],
        ['CULVERT-INTO', [clamp]],
        [
          'CULVERT-OUTOF',
          [
            // With only the other direction, downloads hang.
            clamp,
            // REJECT exists only in the table filter, where an earlier rule may accept the packet: then it is dropped by
            // the guard.
            ...(refuseUnmapped
              ? ranges.map((range) => `-d ${range} -m conntrack ! --ctstate DNAT ${markConnection(marks.refused)}`)
              : []),
          ],
        ],
        [
          'CULVERT-GUARD',
          [
            // The refusal itself must leave, since it is a reply.
            ...(refuseUnmapped ? [`${connection('refused')} ${original} -j DROP`, `${into} -j RETURN`] : []),
            // Nothing of ours leaves by another device in the clear.
            `${connection('egress')} ${original} -j DROP`,
            `${connection('ingress')} ${reply} -j DROP`,
          ],
        ],
      ]),
    },
    filter: {
      jumps: [{ from: 'FORWARD', to: 'CULVERT-FORWARD', first: true }],
      chains: new Map([
        [
          'CULVERT-FORWARD',
          [
            ...(refuseUnmapped
              ? [
                  `-p tcp ${connection('refused')} -j REJECT --reject-with tcp-reset`,
                  `${connection('refused')} -j REJECT --reject-with ${unreachable}`,
                ]
              : []),
            // Of what is forwarded into its tunnel tailscaled would drop packets from 100.64.0.0/10 and, with its stateful
            // filter, those of new connections. What it lets through from there it would masquerade.
            `${anyOfOurs} -j ACCEPT`,
          ],
        ],
      ]),
    },
    nat: {
      jumps: [
        ...(inward === undefined ? [] : [{ from: 'PREROUTING', to: 'CULVERT-IN', match: outOf }]),
        ...(target === undefined ? [] : [{ from: 'PREROUTING', to: 'CULVERT-OTHER', match: toPod('') }]),
        ...outward.map(({ protocol, chain }) => ({ from: 'PREROUTING', to: chain, match: toPod(protocol) })),
        { from: 'POSTROUTING', to: 'CULVERT-SOURCE' },
      ],
      chains: new Map([
        ...(inward ?? []),
        ...outward.flatMap(({ chains }) => [...chains]),
        ...(target === undefined
          ? []
          : ([
              [
                'CULVERT-ALL',
                [
                  ...exempt.map((key) => `${portMatch(key)} -j RETURN`),
                  `-j DNAT --to-destination ${kernelText(target)}`,
                ],
              ],
              [
                'CULVERT-OTHER',
                ['-p tcp -j RETURN', '-p udp -j RETURN', markConnection(marks.egress), '-j CULVERT-ALL'],
              ],
            ] as const)),
        [
          'CULVERT-SOURCE',
          [
            // Targets answer to the node, and backends to the Pod.
            ...(address === undefined
              ? []
              : [`${into} ${connection('egress')} -j SNAT --to-source ${kernelText(address)}`]),
            ...(masquerade ? [`${elsewhere} ${connection('ingress')} -j MASQUERADE`] : []),
          ],
        ],
        ...spreadChains(table.ingress[family], family),
        ...byPortChains(table.ingressByPort[family]),
      ]),
    },
  }
}

type Protocol = (typeof protocols)[number]
const protocols = ['tcp', 'udp'] as const

// DNAT ends the chains that translate, so the rules after it remove the marks from packets that were not translated.
// They are one with the root of their tree, since a new connection passes each rule.

/** What translates packets from the tunnel; undefined: there is nothing to translate. */
function ingressChains(table: ForwardingTable, family: Family): Chains | undefined {
  const leaves = addressLeaves(table, family)
  if (leaves.length === 0) return undefined
  const tree = branches('CULVERT-IN', leaves, (digits) => `-d ${prefixOf(digits, family)}`)
  const marked = [markConnection(marks.ingress), asHost]
  return withRoot(tree, 'CULVERT-IN', (root) => [...marked, ...root, unmarked, markConnection(0)])
}

/** What translates packets of a protocol that the cluster sends to the Pod. */
function egressChains(table: ForwardingTable, family: Family, protocol: Protocol) {
  const chain = `CULVERT-${protocol.toUpperCase()}`
  const leaves = portLeaves(table, family, protocol)
  const all = table.catchAll[family] === undefined ? [] : ['-j CULVERT-ALL']
  if (leaves.length + all.length === 0) return []
  const tree = branches(chain, leaves, (digits) => `-p ${protocol} -m ${protocol} --dport ${rangeOf(digits)}`)
  const whole = (root: readonly string[]) => [markConnection(marks.egress), ...root, ...all, markConnection(0)]
  return [{ protocol, chain, chains: withRoot(tree, chain, whole) }]
}

const withRoot = (tree: Chains, root: string, whole: (rules: readonly string[]) => readonly string[]): Chains =>
  new Map([...tree, [root, whole(tree.get(root) ?? [])]])

const portMatch = (key: string): string => {
  const [protocol, port] = key.split(' . ')
  return `-p ${protocol} -m ${protocol} --dport ${port}`
}

function addressLeaves({ ingress, ingressByPort }: ForwardingTable, family: Family): Leaf[] {
  const leaf = (text: string, lead: string): Leaf => ({
    digits: digitsOf(text, family),
    rule: `-d ${kernelText(text)}/${family === 4 ? 32 : 128} ${lead}`,
  })
  return [
    ...[...ingress[family]].map(([text, backends]) =>
      leaf(text, backends.length > 1 ? `-j ${spreadChain(text, family)}` : leadTo(backends[0]!)),
    ),
    ...(ingressByPort[family]?.addresses ?? []).map((text) => leaf(text, `-j ${portsChain}`)),
  ]
}

const portLeaves = ({ ports }: ForwardingTable, family: Family, protocol: 'tcp' | 'udp'): Leaf[] =>
  inOrder(ports[family]).flatMap((entry) => (entry.key.startsWith(protocol) ? [portLeaf(entry)] : []))

/** Memoized per entry, since tables share the entries of unchanged services. */
const portLeaf = memoOf(({ key, value }: Entry): Leaf => {
  const [address = '', port] = value.split(' . ')
  const digits = portDigits(Number(key.slice(key.lastIndexOf(' ') + 1)))
  return { digits, rule: `${portMatch(key)} ${leadToPort(address, port)}` }
})

/** The range of ports with these leading digits. */
const rangeOf = (digits: string): string =>
  [digits.padEnd(4, '0'), digits.padEnd(4, 'f')].map((end) => parseInt(end, 16)).join(':')
