import { inTailnet, parseAddress } from '../../lib/address.ts'
import { defaultDevice } from '../table.ts'

/** An iptables rule that upstream's agent left. */
export type LeftRule = {
  readonly table: string
  readonly chain: string
  /** The rule as `iptables-save` prints it after `-A CHAIN `. */
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
const isTailnets = (address: string, what: string): string | undefined =>
  inTailnet(parseAddress(address)) ? what : undefined

/**
 * Patterns for whole rules of upstream's agent. Rules without a comment, which any program could write, must be for an
 * address in the tailnet.
 */
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
      // The comment has the operator's spelling of the protocol. Upstream writes IPv6 targets without brackets.
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

/** Finds the rules of upstream's agent in the output of `iptables-save`. */
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

/** Input for `iptables-restore --noflush` that removes these rules, each as often as it was found. */
export const renderRemoval = (found: readonly LeftRule[]): string =>
  [...Map.groupBy(found, ({ table }) => table)]
    .map(([table, rules]) =>
      [`*${table}`, ...rules.map(({ chain, rule }) => `-D ${chain} ${rule}`), 'COMMIT', ''].join('\n'),
    )
    .join('')
