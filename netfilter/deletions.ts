import { contains, type Family, parseAddress, tailnetRanges } from '../lib/address.ts'
import type { Flow } from './flows.ts'
import { backendsOf, type ForwardingTable } from './table.ts'

/** The arguments of one `conntrack -D`: what the deleted flows have in common. */
export type Deletion = readonly string[]

export const familyFlag = (family: Family): string => (family === 4 ? 'ipv4' : 'ipv6')

/** Up to this many deletions are not merged into wider ones. */
const affordable = 4

export type Ending = {
  /** All tracked flows. */
  readonly flows: readonly Flow[]
  /** The flows to end. */
  readonly ended: readonly Flow[]
  /** The rules by which new flows begin meanwhile. */
  readonly table: ForwardingTable
}

/**
 * As few deletions as possible that end these flows and no others, since for each the kernel scans all tracked flows.
 * Flows that differ only in the client are deleted together; then those with the same address and answering side; then,
 * if that would still be many, all that are answered to one address. A wider deletion is used only if it matches no
 * flow that stays, and none that can begin by `table`.
 */
export function planDeletions({ flows, ended, table }: Ending): Deletion[] {
  const rangeOf = rangeFinder()
  const endedFlows = new Set(ended)
  const kept = flows.filter((flow) => !endedFlows.has(flow))
  const keptPairs = new Set(kept.map((flow) => keyOf(pair(flow))))
  const keptWide = new Set(kept.flatMap((flow) => [flow.destination, rangeOf(flow)].map((to) => keyOf(wide(flow, to)))))

  const mayBegin = ({ family, destination, answeredBy }: Flow): boolean =>
    backendsOf(table, family, destination).includes(answeredBy) || table.targets[family].has(answeredBy)
  const mayBeginWide = ({ family, destination, answeredTo }: Flow, to: string): boolean =>
    (to === destination ? table.own[family].has(destination) : table.own[family].size > 0) ||
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
    // An answer that goes to a client has one of many destinations.
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

/**
 * The tailnet's range for a destination in it, since each Tailscale Service has its own address; otherwise the
 * destination itself.
 */
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
