import { type Family, tailnetRanges } from '../../lib/address.ts'
import { memoOf } from '../../lib/memo.ts'
import { type Entry, inOrder } from '../in-order.ts'
import type { ForwardingTable } from '../table.ts'
import { digitsOf, kernelText, prefixOf } from './address-text.ts'
import { byPortChains, leadToPort, portDigits, portsChain } from './by-port.ts'
import { leadTo, spreadChain, spreadChains } from './spread.ts'
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
  /** Whether it must be the first rule. */
  readonly first: boolean
}

/** Our desired rules in one of the kernel's tables. */
export type TableRules = { readonly jumps: readonly Jump[]; readonly chains: Chains }

/** All rules of an address family. */
export type Rules = Readonly<Record<TableName, TableRules>>

/**
 * Our connections are marked when they begin, and recognised by that as long as they exist, even when their rules
 * are gone. Instead of the address set of nftables, iptables could only compare one address after the other. Bits that
 * neither tailscaled nor Kubernetes use.
 */
const markMask = 0x3000_0000
export const marks = { ingress: 0x1000_0000, egress: 0x2000_0000, refused: 0x3000_0000 } as const
export type Kind = keyof typeof marks

/** The kind of a connection with this mark; undefined if it is not ours. */
export const kindOf = (mark = 0): Kind | undefined => kinds.find((kind) => (mark & markMask) === marks[kind])
const kinds = ['ingress', 'egress', 'refused'] as const satisfies readonly Kind[]

const hex = (value: number): string => `0x${value.toString(16)}`
const connection = (kind: Kind): string => `-m connmark --mark ${hex(marks[kind])}/${hex(markMask)}`
const anyOfOurs = `-m connmark ! --mark 0x0/${hex(markMask)}`
const markConnection = (value: number): string => `-j CONNMARK --set-xmark ${hex(value)}/${hex(markMask)}`

/** Sets tailscaled's part of a packet's mark. No other bit may change. */
const setMark = (value: number): string => `-j MARK --set-xmark ${hex(value)}/0xff0000`
/** tailscaled's mark of its own packets, which are routed as if there was no tailscaled. */
const asHost = setMark(0x8_0000)
/** tailscaled's mark of packets of subnet routes: it drops other forwarded packets from 100.64.0.0/10. */
const asSubnetRoute = setMark(0x4_0000)
const unmarked = setMark(0)

const original = '-m conntrack --ctdir ORIGINAL'
const reply = '-m conntrack --ctdir REPLY'
/** A comment for people who read the listing. */
const note = (text: string): string => `-m comment --comment "${text}"`

/** The rules of one family for a table, as `iptables-save` prints them. */
export function rulesOf(table: ForwardingTable, family: Family): Rules {
  const { device, masquerade, refuseUnmapped, catchAll, source, exempt } = table
  const [into, outOf, elsewhere] = [`-o ${device}`, `-i ${device}`, `! -o ${device}`]
  const segments = (direction: string): string =>
    `${direction} -p tcp -m tcp --tcp-flags SYN,RST SYN ${note('clamp: segments fit the tunnel')} -j TCPMSS --clamp-mss-to-pmtu`
  const unreachable = family === 4 ? 'icmp-port-unreachable' : 'icmp6-port-unreachable'
  const ranges = tailnetRanges.filter((range) => range.family === family)
  const [target, address] = [catchAll[family], source[family]]
  return {
    mangle: {
      jumps: [
        { from: 'PREROUTING', to: 'CULVERT-ROUTE', first: false },
        { from: 'FORWARD', to: 'CULVERT-FORWARD', first: false },
        { from: 'POSTROUTING', to: 'CULVERT-GUARD', first: false },
      ],
      chains: new Map([
        // A connection's first packet is marked where it is translated.
        [
          'CULVERT-ROUTE',
          [
            `${outOf} ${connection('ingress')} ${original} ${note('route: to backends, as a host')} ${asHost}`,
            `${outOf} ${connection('egress')} ${reply} ${note('route: answers to the cluster, as a host')} ${asHost}`,
          ],
        ],
        [
          'CULVERT-FORWARD',
          [
            // In both directions: with only the first, downloads hang.
            segments(into),
            segments(outOf),
            `${into} ${anyOfOurs} ${note('mark: past the filters of tailscaled')} ${asSubnetRoute}`,
            // REJECT exists only in the table filter, where an earlier rule may accept the packet: then it is dropped
            // here.
            ...(refuseUnmapped ? ranges : []).map(
              ({ text }) =>
                `-d ${text} ${outOf} -m conntrack ! --ctstate DNAT ${note('refuse: no such service')} ${markConnection(marks.refused)}`,
            ),
          ],
        ],
        [
          'CULVERT-GUARD',
          [
            `${elsewhere} ${connection('ingress')} ${reply} ${note('guard: no answer leaves in the clear')} -j DROP`,
            `${elsewhere} ${connection('egress')} ${original} ${note('guard: nothing leaves in the clear')} -j DROP`,
            // The refusal itself must leave, since it is a reply.
            `${connection('refused')} ${original} ${note('refuse: no such service')} -j DROP`,
            // tailscaled masquerades packets with its mark, and would end those flows when its device is removed.
            `${into} ${anyOfOurs} ${note('mark: translated by us, not by tailscaled')} ${unmarked}`,
          ],
        ],
      ]),
    },
    filter: {
      jumps: refuseUnmapped ? [{ from: 'FORWARD', to: 'CULVERT-REFUSE', first: true }] : [],
      chains: new Map(
        refuseUnmapped
          ? [
              [
                'CULVERT-REFUSE',
                [
                  `-p tcp ${connection('refused')} -j REJECT --reject-with tcp-reset`,
                  `${connection('refused')} -j REJECT --reject-with ${unreachable}`,
                ],
              ],
            ]
          : [],
      ),
    },
    nat: {
      jumps: [
        { from: 'PREROUTING', to: 'CULVERT-TRANSLATE', first: false },
        { from: 'POSTROUTING', to: 'CULVERT-SOURCE', first: false },
      ],
      chains: new Map([
        [
          'CULVERT-TRANSLATE',
          [
            `${outOf} ${note('ingress: from the tailnet')} -j CULVERT-INGRESS`,
            `! ${outOf} -m addrtype --dst-type LOCAL ${note('egress: addressed to the Pod, not by peers')} -j CULVERT-EGRESS`,
          ],
        ],
        // DNAT ends these chains, so the rules after it remove the marks from packets that were not translated.
        ['CULVERT-INGRESS', [markConnection(marks.ingress), asHost, '-j CULVERT-IN', unmarked, markConnection(0)]],
        [
          'CULVERT-EGRESS',
          [
            // The Pod itself refuses late packets of flows that conntrack has forgotten.
            `-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN ${note('egress: only what begins')} -j RETURN`,
            markConnection(marks.egress),
            '-p tcp -j CULVERT-TCP',
            '-p udp -j CULVERT-UDP',
            '-j CULVERT-ALL',
            markConnection(0),
          ],
        ],
        [
          'CULVERT-ALL',
          target === undefined
            ? []
            : [...exempt.map((key) => `${portMatch(key)} -j RETURN`), `-j DNAT --to-destination ${kernelText(target)}`],
        ],
        [
          'CULVERT-SOURCE',
          [
            ...(masquerade
              ? [
                  `${elsewhere} ${connection('ingress')} ${note('masquerade: backends answer to the Pod')} -j MASQUERADE`,
                ]
              : []),
            ...(address === undefined
              ? []
              : [
                  `${into} ${connection('egress')} ${note('source: targets answer to the node')} -j SNAT --to-source ${kernelText(address)}`,
                ]),
          ],
        ],
        ...spreadChains(table.ingress[family], family),
        ...byPortChains(table.ingressByPort[family]),
        ...branches('CULVERT-IN', addressLeaves(table, family), (digits) => `-d ${prefixOf(digits, family)}`),
        ...(['tcp', 'udp'] as const).flatMap((protocol) => [
          ...branches(
            `CULVERT-${protocol.toUpperCase()}`,
            portLeaves(table, family, protocol),
            (digits) => `-p ${protocol} -m ${protocol} --dport ${rangeOf(digits)}`,
          ),
        ]),
      ]),
    },
  }
}

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
