import { contains, type Family, parseAddress, tailnetRanges } from '../lib/address.ts'
import type { Flow } from './flows.ts'
import type { ForwardingTable } from './table.ts'

/** The arguments of one `conntrack -D`: what flows have in common that are deleted. */
export type Deletion = readonly string[]

export const familyFlag = (family: Family): string => (family === 4 ? 'ipv4' : 'ipv6')

/** For so many deletions no wider one is taken instead. */
const affordable = 4

export type Ending = {
  /** All that are tracked. */
  readonly flows: readonly Flow[]
  /** Those of them that are to end. */
  readonly ended: readonly Flow[]
  /** By which new flows begin meanwhile. */
  readonly table: ForwardingTable
}

/**
 * As few deletions as end these flows and no others: for each, the kernel goes through all that it tracks. What differs
 * only in the client goes at once; then what has both the address and who answers in common; then, where that would
 * still be many, all that is answered to one address. A wider deletion is taken only if no flow that stays is among
 * it, and none can begin by `table` that would be.
 */
export function planDeletions({ flows, ended, table }: Ending): Deletion[] {
  const rangeOf = rangeFinder()
  const endedFlows = new Set(ended)
  const kept = flows.filter((flow) => !endedFlows.has(flow))
  const keptPairs = new Set(kept.map((flow) => keyOf(pair(flow))))
  const keptWide = new Set(kept.flatMap((flow) => [flow.destination, rangeOf(flow)].map((to) => keyOf(wide(flow, to)))))

  const mayBegin = ({ family, destination, answeredBy }: Flow): boolean =>
    table.ingress[family].get(destination)?.includes(answeredBy) === true || table.targets[family].has(answeredBy)
  const mayBeginWide = ({ family, destination, answeredTo }: Flow, to: string): boolean =>
    (to === destination ? table.ingress[family].has(destination) : table.ingress[family].size > 0) ||
    (table.targets[family].size > 0 && answeredTo === table.source[family])
  const narrow = (flow: Flow): Deletion =>
    isTranslated(flow) && !mayBegin(flow) && !keptPairs.has(keyOf(pair(flow))) ? pair(flow) : exact(flow)

  const groups = Map.groupBy(ended, (flow) => keyOf(wide(flow, rangeOf(flow))))
  const planned = [...groups].flatMap(([key, group]) => {
    const narrower = distinct(group.map(narrow))
    const [flow] = group
    if (flow === undefined) return []
    const to = rangeOf(flow)
    const fits = group.every(isTranslated) && !keptWide.has(key) && !mayBeginWide(flow, to)
    return fits && narrower.length > affordable ? [wide(flow, to)] : narrower
  })
  return distinct(planned)
}

const keyOf = (deletion: Deletion): string => deletion.join(' ')

const distinct = (deletions: readonly Deletion[]): Deletion[] => [
  ...new Map(deletions.map((deletion) => [keyOf(deletion), deletion])).values(),
]

const isTranslated = ({ destination, answeredBy }: Flow): boolean => destination !== answeredBy

function exact({ family, protocol, destination, port, answeredBy, answeredFrom, answeredTo }: Flow): Deletion {
  return [
    ...between(family, destination),
    '-p',
    protocol,
    ...(port === undefined ? [] : ['--orig-port-dst', String(port)]),
    '--reply-src',
    answeredBy,
    ...(answeredFrom === undefined ? [] : ['--reply-port-src', String(answeredFrom)]),
    // Where an answer goes to a client, it is one of many.
    ...(answeredBy === destination ? [] : ['--reply-dst', answeredTo]),
  ]
}

const pair = ({ family, destination, answeredBy }: Flow): Deletion => [
  ...between(family, destination),
  '--reply-src',
  answeredBy,
]

const wide = ({ family, answeredTo }: Flow, to: string): Deletion => [...between(family, to), '--reply-dst', answeredTo]

const between = (family: Family, destination: string): string[] => ['-f', familyFlag(family), '--orig-dst', destination]

/** Gives the tailnet's range for a destination in it, as each Tailscale Service has one of its own; else the destination itself. */
function rangeFinder(): (flow: Flow) => string {
  const known = new Map<string, string>()
  return ({ destination }) => {
    let found = known.get(destination)
    if (found === undefined) {
      const address = parseAddress(destination)
      const range = address && tailnetRanges.find((prefix) => contains(prefix, address))
      found = range?.text ?? destination
      known.set(destination, found)
    }
    return found
  }
}
