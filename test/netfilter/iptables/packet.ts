import { contains, parseAddress, parsePrefix } from '../../../lib/address.ts'
import { jumpRule, type TableRules } from '../../../netfilter/iptables/rules.ts'

/** The first packet of a connection, as it arrives. */
export type Packet = {
  readonly device: string
  readonly to: string
  /** Whether its destination is an address of this node. */
  readonly local: boolean
  readonly protocol: 'tcp' | 'udp' | 'icmp'
  readonly port?: number
  /** Whether chance is on its side, each time. */
  readonly lucky?: boolean
}

/** What happens to a packet: its new destination, and the marks of the packet and its connection. */
export type Fate = { readonly to: string | undefined; readonly mark: number; readonly connection: number }

type State = { to: string | undefined; mark: number; connection: number }

/** Evaluates our rules in the table nat for a packet that arrives, as the kernel does. */
export function judge({ jumps, chains: ours }: TableRules, packet: Packet): Fate {
  // Each jump is inserted before those that are there.
  const entry = jumps.filter(({ from }) => from === 'PREROUTING').map(jumpRule)
  const chains = new Map([...ours, ['PREROUTING', entry.toReversed()]])
  const state: State = { to: undefined, mark: 0, connection: 0 }
  const enter = (chain: string): boolean => {
    for (const rule of chains.get(chain) ?? []) {
      const { matches, target, value } = parse(rule)
      if (!matches.every((match) => holds(match, packet))) continue
      if (target === 'RETURN') return false
      if (target === 'MARK' || target === 'CONNMARK') {
        const [set = 0, mask = 0] = value.split('/').map(Number)
        const which = target === 'MARK' ? 'mark' : 'connection'
        state[which] = ((state[which] & ~mask) | set) >>> 0
      } else if (target === 'DNAT') {
        state.to = value
        return true
      } else if (enter(target)) return true
    }
    return false
  }
  enter('PREROUTING')
  return state
}

type Match = { readonly not: boolean; readonly name: string; readonly value: string }

function parse(rule: string): { matches: Match[]; target: string; value: string } {
  const [conditions = '', rest = ''] = ` ${rule}`.split(' -j ')
  const [target = '', ...more] = rest.split(' ')
  const words = conditions
    .replace(/-m comment --comment "[^"]*"/, '')
    .replaceAll(/-m \w+/g, '')
    .split(' ')
    .filter(Boolean)
  const matches: Match[] = []
  for (let at = 0; at < words.length;) {
    const not = words[at] === '!'
    if (not) at += 1
    const name = words[at] ?? ''
    const count = name === '--tcp-flags' ? 2 : 1
    matches.push({ not, name, value: words.slice(at + 1, at + 1 + count).join(' ') })
    at += 1 + count
  }
  return { matches, target, value: more.at(-1) ?? '' }
}

function holds({ not, name, value }: Match, packet: Packet): boolean {
  return not !== plainly(name, value, packet)
}

function plainly(name: string, value: string, { device, to, local, protocol, port, lucky }: Packet): boolean {
  if (name === '-i') return device === value
  if (name === '-d') return contains(parsePrefix(value)!, parseAddress(to)!)
  if (name === '-p') return protocol === value
  if (name === '--dst-type') return local
  // Only first packets of connections are evaluated here.
  if (name === '--tcp-flags') return protocol === 'tcp'
  if (name === '--mode') return value === 'random'
  if (name === '--probability') return lucky === true
  if (name === '--dport') {
    const [first = 0, last = first] = value.split(':').map(Number)
    return port !== undefined && port >= first && port <= last
  }
  throw new Error(`no such match: ${name} ${value}`)
}
