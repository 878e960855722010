import { quote } from '../../lib/quote.ts'
import { type PortRange, protocols, rangeText } from '../../netfilter/port-ranges.ts'
import { type EnvReader, refusal } from './env-reader.ts'

const accepted = 'items such as tcp/80, udp/53, tcp/8080:80 and tcp/8000-8010, separated by commas, are accepted'

/**
 * The ports that L3 ingress forwards, sorted; undefined: everything.
 * @throws CulvertError `settings` naming the invalid item.
 */
export function readDestPorts({ text }: EnvReader): readonly PortRange[] | undefined {
  const value = text('CULVERT_DEST_PORTS')
  if (value === '') return undefined
  const refuse = (why: string): never => {
    throw refusal('CULVERT_DEST_PORTS', value, `${why}; ${accepted}`)
  }
  const ranges = value.split(',').map((part) => readItem(part.trim(), refuse))
  return protocols.flatMap((protocol) => {
    const sorted = ranges
      .filter((range) => range.protocol === protocol)
      .toSorted((one, other) => one.first - other.first || one.last - other.last)
    for (const [index, range] of sorted.entries()) {
      const next = sorted[index + 1]
      if (next === undefined || next.first > range.last) continue
      const [one, other] = [range, next].map(rangeText)
      refuse(
        one === other
          ? `${one} is in it twice`
          : `${one} and ${other} have ports in common, so that it is not clear where these lead`,
      )
    }
    return sorted
  })
}

function readItem(item: string, refuse: (why: string) => never): PortRange {
  if (item === '') refuse('there is nothing before, between or after some of its commas')
  const [, name = '', ports = ''] =
    /^([a-z]+)\/(.*)$/i.exec(item) ?? refuse(`${quote(item)} does not begin with tcp/ or udp/`)
  const protocol = protocols.find((one) => one === name.toLowerCase())
  if (protocol === undefined)
    return refuse(`${quote(item)} has a protocol other than tcp and udp, which cannot be forwarded by port`)
  const numbers =
    /^(\d+)(?:-(\d+))?(?::(\d+)(-\d+)?)?$/.exec(ports) ??
    refuse(`${quote(item)} has no port or range of ports after the slash`)
  const [first = 0, last = first, to = first] = numbers
    .slice(1, 4)
    .map((digits) => (digits === undefined ? undefined : Number(digits)))
  if ([first, last, to].some((port) => port < 1 || port > 65_535))
    refuse(`${quote(item)} has a port that is not from 1 to 65535`)
  if (first > last) refuse(`${quote(item)} ends before it begins: write ${protocol}/${last}-${first}`)
  // Neither firewall maps a range to another one on all kernels.
  if (numbers[2] !== undefined && numbers[3] !== undefined)
    refuse(`${quote(item)} leads a range to other ports, which only single ports can: list each of them`)
  if (numbers[4] !== undefined) refuse(`${quote(item)} leads one port to several: write one`)
  return { protocol, first, last, ...(to === first ? {} : { to }) }
}

/**
 * The version of the PROXY protocol.
 * @throws CulvertError `settings` if there is no such version.
 */
export function readProxyProtocol({ text }: EnvReader): 1 | 2 | undefined {
  const value = text('CULVERT_PROXY_PROTOCOL')
  if (value === '') return undefined
  if (value === '1' || value === '2') return value === '1' ? 1 : 2
  throw refusal('CULVERT_PROXY_PROTOCOL', value, 'the versions 1 and 2 are accepted')
}
