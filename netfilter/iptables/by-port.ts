import { type PortRange, type Protocol, protocols } from '../port-ranges.ts'
import type { IngressByPort } from '../table.ts'
import { kernelText } from './address-text.ts'
import { leadTo, spreadRules } from './spread.ts'
import { branches, type Chains, type Leaf } from './tree.ts'

/** The chain for packets to own addresses of which only some ports are forwarded. */
export const portsChain = 'CULVERT-IN-PORTS'

/** A chain for each protocol, with a tree of the ports, and the chains that choose one of several backends. */
export function byPortChains(byPort: IngressByPort | undefined): Chains {
  if (byPort === undefined) return new Map()
  const { backends, ports } = byPort
  const [only = ''] = backends
  /** Chains for several backends, by their names. */
  const spread = new Map<string, readonly string[]>()
  const lead = ({ protocol, to }: PortRange): string => {
    const leadOne = (backend: string): string => (to === undefined ? leadTo(backend) : leadToPort(backend, to))
    if (backends.length === 1) return leadOne(only)
    const name = to === undefined ? 'CULVERT-TO' : `CULVERT-TO-${rootOf(protocol)}-${to}`
    // iptables accepts a port only in a rule that matches its protocol.
    const match = to === undefined ? '' : `-p ${protocol} `
    if (!spread.has(name))
      spread.set(
        name,
        spreadRules(backends, leadOne).map((rule) => `${match}${rule}`),
      )
    return `-j ${name}`
  }
  const match = ({ protocol, first }: PortRange, last: number): string =>
    `-p ${protocol} -m ${protocol} --dport ${first === last ? first : `${first}:${last}`}`
  const trees = protocols.map((protocol) => {
    const leaves = ports.flatMap((range): (Leaf & { readonly range: PortRange })[] =>
      range.protocol === protocol
        ? [{ digits: portDigits(range.first), rule: `${match(range, range.last)} ${lead(range)}`, range }]
        : [],
    )
    // A range may go beyond the digits that its first port shares with others.
    return branches(`CULVERT-IN-${rootOf(protocol)}`, leaves, (_beginning, group) =>
      match(group[0]!.range, group.at(-1)!.range.last),
    )
  })
  const start = protocols.map((protocol) => `-p ${protocol} -j CULVERT-IN-${rootOf(protocol)}`)
  return new Map([[portsChain, start], ...trees.flatMap((tree) => [...tree]), ...spread])
}

const rootOf = (protocol: Protocol): string => protocol.toUpperCase()

/** The digits of a port in a tree. */
export const portDigits = (port: number): string => port.toString(16).padStart(4, '0')

export const leadToPort = (backend: string, port: number | string | undefined): string =>
  `-j DNAT --to-destination ${backend.includes(':') ? `[${kernelText(backend)}]` : backend}:${port}`
