import { type Family, families } from '../../lib/address.ts'
import { emptyTable, type ForwardingTable } from '../table.ts'

/** The one table that is ours; no other is ever touched. */
export const tableName = 'culvert'
const tun = '"tailscale0"'

/** What is spelled differently for each family. */
const words = {
  4: { ip: 'ip', type: 'ipv4_addr' },
  6: { ip: 'ip6', type: 'ipv6_addr' },
} as const

/** The sets and maps that follow the table's value; the rest of the rules is fixed. */
export const ownSet = (family: Family): string => `own${family}`
export const ingressMap = (family: Family): string => `ingress${family}`

/** Both families' form of a rule. */
const both = (rule: (ip: string, family: Family) => string): string[] =>
  families.map((family) => rule(words[family].ip, family))

/**
 * Our flows: translated ones that were addressed to an own tailnet address. Another program's translation between
 * other devices is none of them, even where its addresses overlap with the tailnet's.
 */
const ours = (ip: string, family: Family): string => `ct status dnat ct original ${ip} daddr @${ownSet(family)}`

type Chain = { readonly name: string; readonly hook: string; readonly rules: readonly string[] }

/** Every rule carries a comment, by which a reader of `nft list` knows it, and a read-back its place. */
const chains = (masquerade: boolean): Chain[] => [
  {
    // Conntrack must run before tailscaled first dials: a flow that it has not seen begin would be taken for a new
    // one when an answer arrives, and be translated.
    name: 'track',
    hook: 'type filter hook output priority raw',
    rules: ['ct state new comment "track: connection tracking runs"'],
  },
  {
    name: 'ingress',
    hook: 'type nat hook prerouting priority dstnat',
    rules: both(
      (ip, family) =>
        `iifname ${tun} dnat ${ip} to ${ip} daddr map @${ingressMap(family)} comment "ingress: own address to backend"`,
    ),
  },
  {
    name: 'forward',
    hook: 'type filter hook forward priority mangle',
    rules: [
      // Both directions: with the first alone, downloads hang.
      ...['oifname', 'iifname'].map(
        (device) =>
          `${device} ${tun} tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu comment "clamp: ${device}"`,
      ),
      // tailscaled drops forwarded packets from 100.64.0.0/10, and new flows where its stateful filter is on, unless
      // they carry its subnet-route mark. No other bit of the mark may change.
      ...both(
        (ip, family) =>
          `oifname ${tun} ${ours(ip, family)} meta mark set meta mark & 0xff00ffff | 0x00040000 comment "mark: past the filters of tailscaled"`,
      ),
    ],
  },
  {
    // Answers of backends leave through the tunnel or not at all: without the device they would follow the default
    // route in the clear. Dropped, not refused, so that flows go on when the device is back.
    name: 'guard',
    hook: 'type filter hook postrouting priority mangle',
    rules: both(
      (ip, family) =>
        `oifname != ${tun} ct direction reply ${ours(ip, family)} drop comment "guard: nothing leaves in the clear"`,
    ),
  },
  {
    name: 'source',
    hook: 'type nat hook postrouting priority srcnat',
    rules: masquerade
      ? both(
          (ip, family) =>
            `iifname ${tun} oifname != ${tun} ${ours(ip, family)} masquerade comment "masquerade: backends answer to the Pod"`,
        )
      : [],
  },
]

/** The rules without elements, as one transaction that replaces the table, whether or not it exists. */
export function renderSkeleton(table: Pick<ForwardingTable, 'masquerade'>): string {
  const sets = families.flatMap((family) => {
    const { type } = words[family]
    return [`set ${ownSet(family)} { type ${type}; }`, `map ${ingressMap(family)} { type ${type} : ${type}; }`]
  })
  const bodies = chains(table.masquerade).map(
    ({ name, hook, rules }) => `chain ${name} {\n    ${[`${hook}; policy accept;`, ...rules].join('\n    ')}\n  }`,
  )
  // nft 1.0.6 has no `destroy`: declared first, the table can be deleted in either case.
  return [
    `table inet ${tableName}`,
    `delete table inet ${tableName}`,
    `table inet ${tableName} {`,
    ...[...sets, ...bodies].map((part) => `  ${part}`),
    '}',
    '',
  ].join('\n')
}

/** The names of chains and the comments of their rules, in order: what a read-back must hold. */
export const outline = (table: Pick<ForwardingTable, 'masquerade'>): string[] =>
  chains(table.masquerade).flatMap(({ name, rules }) => [
    name,
    ...rules.map((rule) => `${name}: ${/ comment "(.*)"$/.exec(rule)?.[1] ?? ''}`),
  ])

/** Element by element, what turns the content of `from` into that of `to`; empty when they are equal. */
export function renderElements(from: ForwardingTable, to: ForwardingTable): string {
  const commands: string[] = []
  const change = (verb: 'add' | 'delete', set: string, elements: readonly string[]): void => {
    if (elements.length > 0) commands.push(`${verb} element inet ${tableName} ${set} { ${elements.join(', ')} }`)
  }
  for (const family of families) {
    const [before, after] = [from.ingress[family], to.ingress[family]]
    const gone = [...before].filter(([own, backend]) => after.get(own) !== backend)
    const come = [...after].filter(([own, backend]) => before.get(own) !== backend)
    // The key alone names an element of a map that is to go.
    change(
      'delete',
      ingressMap(family),
      gone.map(([own]) => own),
    )
    change(
      'delete',
      ownSet(family),
      gone.flatMap(([own]) => (after.has(own) ? [] : [own])),
    )
    change(
      'add',
      ownSet(family),
      come.flatMap(([own]) => (before.has(own) ? [] : [own])),
    )
    change(
      'add',
      ingressMap(family),
      come.map(([own, backend]) => `${own} : ${backend}`),
    )
  }
  return commands.map((command) => `${command}\n`).join('')
}

/** The whole table as one transaction. */
export const renderTable = (table: ForwardingTable): string => renderSkeleton(table) + renderElements(emptyTable, table)
