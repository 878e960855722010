import { type Family, families, type Prefix, tailnetRanges } from '../../lib/address.ts'
import { spreadOf } from '../spread.ts'
import { type PortRange, protocols } from '../port-ranges.ts'
import type { ForwardingTable, IngressByPort } from '../table.ts'

const ipOf = (family: Family): 'ip' | 'ip6' => (family === 4 ? 'ip' : 'ip6')

/** What matches packets from the tunnel for a Tailscale Service without a mapping, in a range of the tailnet. */
export const unmappedTo = (tun: string, { family, text }: Prefix): string =>
  `iifname ${tun} ${ipOf(family)} daddr ${text} ct status & dnat == 0 fib daddr type != local`

/** A rule in the forms of both families. */
const both = (rule: (ip: string, family: Family) => string): string[] =>
  families.map((family) => rule(ipOf(family), family))

/** As `both`, for the families that have a value; a rule or several. */
const each = <T>(
  values: Readonly<Record<Family, T | undefined>>,
  rule: (ip: string, value: T, family: Family) => string | readonly string[],
): string[] =>
  families.flatMap((family) => {
    const value = values[family]
    return value === undefined ? [] : rule(ipOf(family), value, family)
  })

/**
 * Our flows: translated ones that were addressed to an own tailnet address, or that a target in the tailnet answers.
 * Translations by other programs between other devices do not match, even if their addresses overlap with the
 * tailnet's.
 */
const fromTailnet = (ip: string, family: Family): string => `ct status dnat ct original ${ip} daddr @own${family}`
const toTailnet = (ip: string, family: Family): string => `ct status dnat ct reply ${ip} saddr @targets${family}`

/**
 * tailscaled's mark of its own packets, which has a routing rule like that of a host without tailscaled. No other bit
 * may change.
 */
const asHost = 'meta mark set meta mark & 0xff00ffff | 0x00080000'

/** At random, since in a fixed order, clients that connect in turns would always get the same backends. */
function oneOf(backends: readonly string[]): string {
  const choices = backends.map((backend, index) => `${index} : ${backend}`)
  return `numgen random mod ${backends.length} map { ${choices.join(', ')} }`
}

/** With sets and maps of their own, since ports only change with the settings and the serve config. */
function byPortRules(tun: string, ip: string, { addresses, backends, ports }: IngressByPort): string[] {
  const [only = ''] = backends
  const dnat = `dnat ${ip} to ${backends.length > 1 ? oneOf(backends) : only}`
  return protocols.flatMap((protocol) => {
    const listed = ports.filter((range) => range.protocol === protocol)
    const same = listed.filter(({ to }) => to === undefined).map(span)
    const other = listed.filter(({ to }) => to !== undefined).map(({ first, to }) => `${first} : ${to}`)
    return [
      ...(same.length > 0
        ? [`${protocol} dport { ${same.join(', ')} } ${dnat} comment "ingress: ${protocol} ports to a backend"`]
        : []),
      ...(other.length > 0
        ? [
            `meta l4proto ${protocol} ${dnat} : ${protocol} dport map { ${other.join(', ')} } comment "ingress: ${protocol} ports to other ports of a backend"`,
          ]
        : []),
    ].map((rule) => `iifname ${tun} ${ip} daddr { ${addresses.join(', ')} } ${rule}`)
  })
}

const span = ({ first, last }: PortRange): string => (first === last ? String(first) : `${first}-${last}`)

export type Chain = { readonly name: string; readonly hook: string; readonly rules: readonly string[] }

/**
 * Everything that rules depend on; of `ingress` only addresses with several backends. The rest of a table is elements.
 */
export type Shape = Pick<
  ForwardingTable,
  'device' | 'ingress' | 'ingressByPort' | 'masquerade' | 'refuseUnmapped' | 'catchAll' | 'source'
>

/**
 * The chains are the same for every shape and only their rules differ, so that rules can be exchanged in place. Every
 * rule has a comment, for readers of `nft list` and for the read-back.
 */
export const chains = (shape: Shape): Chain[] => chainsFor(`"${shape.device}"`, shape)

const chainsFor = (
  tun: string,
  { ingress, ingressByPort, masquerade, refuseUnmapped, catchAll, source }: Shape,
): Chain[] => [
  {
    // Conntrack must run before tailscaled first dials: it would take the answer of a flow whose start it missed for a
    // new flow, which would be translated.
    name: 'track',
    hook: 'type filter hook output priority raw',
    rules: ['ct state new comment "track: connection tracking runs"'],
  },
  {
    name: 'translate',
    hook: 'type nat hook prerouting priority dstnat',
    rules: [
      ...both(
        (ip, family) =>
          `iifname ${tun} dnat ${ip} to ${ip} daddr map @ingress${family} comment "ingress: own address to backend"`,
      ),
      ...families.flatMap((family) =>
        spreadOf(ingress[family]).several.map(
          ({ address, backends }) =>
            `iifname ${tun} ${ipOf(family)} daddr ${address} dnat ${ipOf(family)} to ${oneOf(backends)} comment "ingress: own address to one of its backends"`,
        ),
      ),
      ...each(ingressByPort, (ip, byPort) => byPortRules(tun, ip, byPort)),
      `iifname ${tun} return comment "egress: not for peers"`,
      'fib daddr type != local return comment "egress: only what is addressed to the Pod"',
      // The Pod itself refuses late packets of flows that conntrack has forgotten.
      'tcp flags & (fin | syn | rst | ack) != syn return comment "egress: only what begins"',
      ...both(
        (ip, family) =>
          `meta nfproto ipv${family} dnat ${ip} to meta l4proto . th dport map @ports${family} comment "egress: port to target"`,
      ),
      'meta l4proto . th dport @exempt return comment "egress: the Pod’s own ports"',
      ...each(
        catchAll,
        (ip, target, family) =>
          `meta nfproto ipv${family} dnat ${ip} to ${target} comment "egress: everything to target"`,
      ),
    ],
  },
  {
    // Packets from the tunnel to the cluster are routed like those of a host without tailscaled, by tailscaled's own
    // mark: an accepted route to the cluster would otherwise send them back into the tunnel. What is refused here is
    // counted at priority dstnat + 1, by a table of its own.
    name: 'route',
    hook: 'type filter hook prerouting priority dstnat + 2',
    rules: [
      ...both(
        (ip, family) =>
          `iifname ${tun} ct direction original ${fromTailnet(ip, family)} ${asHost} comment "route: to backends, as a host"`,
      ),
      ...both(
        (ip, family) =>
          `iifname ${tun} ct direction reply ${toTailnet(ip, family)} ${asHost} comment "route: answers to the cluster, as a host"`,
      ),
      // Without a translation it would follow some other route: in circles, or out in the clear.
      ...(refuseUnmapped
        ? tailnetRanges.flatMap((range) => {
            const unmapped = unmappedTo(tun, range)
            return [
              `${unmapped} meta l4proto tcp reject with tcp reset comment "refuse: no such service"`,
              `${unmapped} reject with icmpx port-unreachable comment "refuse: no such service"`,
            ]
          })
        : []),
    ],
  },
  {
    name: 'forward',
    hook: 'type filter hook forward priority mangle',
    rules: [
      // In both directions: with only the first, downloads hang.
      ...['oifname', 'iifname'].map(
        (device) =>
          `${device} ${tun} tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu comment "clamp: ${device}"`,
      ),
      // tailscaled drops forwarded packets from 100.64.0.0/10, and new flows if its stateful filter is on, unless they
      // have its subnet-route mark. No other bit of the mark may change.
      ...[fromTailnet, toTailnet].flatMap((ours) =>
        both(
          (ip, family) =>
            `oifname ${tun} ${ours(ip, family)} meta mark set meta mark & 0xff00ffff | 0x00040000 comment "mark: past the filters of tailscaled"`,
        ),
      ),
    ],
  },
  {
    // Tailnet packets leave through the tunnel or not at all: without the device they would follow the default route in
    // the clear. They are dropped, not refused, so that flows continue when the device is back.
    name: 'guard',
    hook: 'type filter hook postrouting priority mangle',
    rules: [
      ...both(
        (ip, family) =>
          `oifname != ${tun} ct direction reply ${fromTailnet(ip, family)} drop comment "guard: no answer leaves in the clear"`,
      ),
      ...both(
        (ip, family) =>
          `oifname != ${tun} ct direction original ${toTailnet(ip, family)} drop comment "guard: nothing leaves in the clear"`,
      ),
    ],
  },
  {
    // Before tailscaled's own masquerading, which would end the flows when the device goes away.
    name: 'source',
    hook: 'type nat hook postrouting priority srcnat - 1',
    rules: [
      ...(masquerade
        ? both(
            (ip, family) =>
              `iifname ${tun} oifname != ${tun} ${fromTailnet(ip, family)} masquerade comment "masquerade: backends answer to the Pod"`,
          )
        : []),
      ...each(
        source,
        (ip, address, family) =>
          `oifname ${tun} ${toTailnet(ip, family)} snat ${ip} to ${address} comment "source: targets answer to the node"`,
      ),
    ],
  },
]
