import { memoOf } from '../lib/memo.ts'

export type Protocol = 'tcp' | 'udp'

/** Consecutive ports of a protocol that are forwarded. */
export type PortRange = {
  readonly protocol: Protocol
  readonly first: number
  readonly last: number
  /** Another port of the backend, only for a single port; undefined: the backend's port is the same. */
  readonly to?: number
}

export const protocols = ['tcp', 'udp'] as const

/** As in the settings: `tcp/80`, `tcp/8080:80` or `udp/5000-5010`. */
export const rangeText = ({ protocol, first, last, to }: PortRange): string =>
  `${protocol}/${first}${last === first ? '' : `-${last}`}${to === undefined ? '' : `:${to}`}`

/** The port of the backend to which each port leads, or 0, by protocol; an array, since many flows may be looked up. */
const tableOf = memoOf((ranges: readonly PortRange[]) => {
  const ports = { tcp: new Uint16Array(65_536), udp: new Uint16Array(65_536) }
  for (const { protocol, first, last, to } of ranges) {
    for (let port = first; port <= last; port += 1) ports[protocol][port] = to ?? port
  }
  return ports
})

/** The port of the backend to which one of these ranges leads; undefined if none has this port. */
export function backendPort(ranges: readonly PortRange[], protocol: string, port = 0): number | undefined {
  if (protocol !== 'tcp' && protocol !== 'udp') return undefined
  return tableOf(ranges)[protocol][port] || undefined
}

/** The ranges without these TCP ports. */
export const withoutTcp = (ranges: readonly PortRange[], ports: readonly number[]): readonly PortRange[] =>
  ranges.flatMap((range) => {
    const taken = ports.filter((port) => range.protocol === 'tcp' && port >= range.first && port <= range.last)
    if (taken.length === 0) return [range]
    const ends = [...taken.toSorted((one, other) => one - other), range.last + 1]
    return ends.flatMap((end, index) => {
      const first = index === 0 ? range.first : ends[index - 1]! + 1
      return first < end ? [{ ...range, first, last: end - 1 }] : []
    })
  })
