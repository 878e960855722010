import { byteCount } from '../../lib/byte-count.ts'

/** What was counted, as the status and the ruleset have it. */
export type CountsAnswer = {
  readonly toBytes: number
  readonly fromBytes: number
  readonly connections: number
  readonly refused: number
}

/** The figures in the answer of `/status` that are rendered. */
export type FiguresAnswer = {
  readonly traffic: {
    readonly since: string | null
    readonly problem: string | null
    readonly services: readonly (CountsAnswer & { readonly kind: string; readonly service: string })[]
  } | null
  readonly peers:
    | readonly {
        readonly name: string
        readonly path: string
        readonly via: string | null
        readonly lastHandshake: string | null
      }[]
    | null
  readonly udpErrors: Readonly<Record<string, Readonly<Record<string, number>>>>
}

/** How many services and peers are shown. */
const most = 10

export const countsText = ({ toBytes, fromBytes, connections, refused }: CountsAnswer): string =>
  `${byteCount(toBytes)} there, ${byteCount(fromBytes)} back, ${connections} connections, ${refused} refused`

/** Renders the figures of the status, one fact a line. */
export function figureLines({ traffic, peers, udpErrors }: FiguresAnswer): string[] {
  const all = peers ?? []
  const errors = Object.entries(udpErrors).flatMap(([family, counts]) =>
    Object.entries(counts).flatMap(([reason, count]) => (count === 0 ? [] : [`${family} ${reason} ${count}`])),
  )
  return [
    ...trafficLines(traffic),
    ...all.slice(0, most).map(({ name, path, via, lastHandshake }) => {
      const how = via === null ? 'idle' : `${path} by ${via}`
      return `peer ${name}: ${how}, ${lastHandshake === null ? 'no handshake yet' : `handshake at ${lastHandshake}`}`
    }),
    ...andMore(all.length, 'peers'),
    ...(errors.length === 0 ? [] : [`! datagrams that the kernel dropped: ${errors.join(', ')}`]),
  ]
}

function trafficLines(traffic: FiguresAnswer['traffic']): string[] {
  if (traffic === null) return []
  const { since, problem, services } = traffic
  const busiest = services.toSorted((one, other) => bytesOf(other) - bytesOf(one))
  return [
    `traffic: ${problem === null ? `counted since ${since ?? 'now'}` : `! not counted: ${problem}`}`,
    ...busiest.slice(0, most).map((one) => `  ${one.kind} ${one.service}: ${countsText(one)}`),
    ...andMore(services.length, 'services'),
  ]
}

const bytesOf = ({ toBytes, fromBytes }: CountsAnswer): number => toBytes + fromBytes

const andMore = (count: number, what: string): string[] =>
  count > most ? [`  and ${count - most} more ${what}: --json has all`] : []
