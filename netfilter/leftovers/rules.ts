import { inTailnet } from '../../lib/address.ts'
import { defaultDevice } from '../table.ts'

/** A rule that upstream's agent left in the form of iptables. */
export type LeftRule = {
  readonly table: string
  readonly chain: string
  /** As `iptables-save` prints it behind `-A CHAIN `. */
  readonly rule: string
  /** What it does, in words. */
  readonly what: string
}

type Shape = {
  readonly place: string
  readonly rule: RegExp
  readonly what: (...parts: string[]) => string | undefined
}

const net = String.raw`([\d.]+|[0-9a-f:]+)\/(?:32|128)`
const other = `! -i ${defaultDevice} `
const isTailnets = (address: string, what: string): string | undefined => (inTailnet(address) ? what : undefined)

/** The rules of upstream's agent, each as a whole. Unmarked ones that any program could write have to be of the tailnet. */
const shapes: readonly Shape[] = [
  {
    place: 'nat PREROUTING',
    rule: new RegExp(`^${other}-j DNAT --to-destination (\\S+)$`),
    what: (target = '') => `everything to ${target}`,
  },
  {
    place: 'nat PREROUTING',
    rule: new RegExp(
      `^${other}-p (tcp|udp) -m \\1 --dport (\\d+) -m comment --comment "(.+):\\1:\\2 -> \\1:(\\d+)" -j DNAT --to-destination (.+):\\4$`,
      // The comment has the protocol as an operator writes it. A target of IPv6 lacks its brackets, as upstream writes it.
      'i',
    ),
    what: (protocol = '', from = '', service = '', to = '', target = '') =>
      `${service}: ${protocol} port ${from} to ${target} port ${to}`,
  },
  {
    place: 'nat PREROUTING',
    rule: new RegExp(`^-d ${net} -m comment --comment "svc: (.+), \\1 -> (\\S+)" -j DNAT --to-destination \\3$`),
    what: (address = '', service = '', backend = '') => `${service}: ${address} to ${backend}`,
  },
  {
    place: 'nat PREROUTING',
    rule: new RegExp(`^-d ${net} (?:-m statistic --mode nth --every \\d+ )?-j DNAT --to-destination (\\S+)$`),
    what: (address = '', backend = '') => isTailnets(address, `${address} to ${backend}`),
  },
  {
    place: 'nat POSTROUTING',
    rule: new RegExp(`^-d ${net} -j SNAT --to-source (\\S+)$`),
    what: (target = '', source = '') => isTailnets(source, `source ${source} towards ${target}`),
  },
  {
    place: 'mangle FORWARD',
    rule: new RegExp(`^-([io]) ${defaultDevice} -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu$`),
    what: (direction = '') => `clamp of segments, ${direction === 'i' ? 'in' : 'out'}`,
  },
]

/** What upstream's agent left, according to `iptables-save`. */
export function findRules(listing: string): LeftRule[] {
  let table = ''
  return listing.split('\n').flatMap((line): LeftRule[] => {
    if (line.startsWith('*')) table = line.slice(1)
    const [, chain, rule] = /^-A (\S+) (.+)$/.exec(line) ?? []
    if (chain === undefined || rule === undefined) return []
    for (const shape of shapes) {
      const parts = shape.place === `${table} ${chain}` ? shape.rule.exec(rule) : null
      const what = parts === null ? undefined : shape.what(...parts.slice(1))
      if (what !== undefined) return [{ table, chain, rule, what }]
    }
    return []
  })
}

/** Input of `iptables-restore --noflush` that removes these rules, each as often as it was found. */
export const renderRemoval = (found: readonly LeftRule[]): string =>
  [...Map.groupBy(found, ({ table }) => table)]
    .map(([table, rules]) =>
      [`*${table}`, ...rules.map(({ chain, rule }) => `-D ${chain} ${rule}`), 'COMMIT', ''].join('\n'),
    )
    .join('')
