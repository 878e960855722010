import { isJsonObject, parseJson } from '../../lib/json.ts'
import { readSizes } from './sizes.ts'

/** An event as players take it: seconds, kind and text. */
export type PlayableEvent = readonly [seconds: number, kind: 'o' | 'r' | 'm', text: string]

/** A recording of which nothing can upset a player. */
export type Playable = {
  readonly header: { readonly version: 2; readonly width: number; readonly height: number }
  readonly events: readonly PlayableEvent[]
  /** Lines that are no events. */
  readonly unreadable: number
}

/** The size of a terminal that nobody says, and the largest that is shown: a browser has to draw it. */
const [usual, largest] = [
  { columns: 80, rows: 24 },
  { columns: 500, rows: 200 },
] as const

/** The longest time that a recording may say, in seconds: three years. */
const mostSeconds = 1e8

/**
 * Reads a recording of asciicast v2 so that it can be played: without lines that are no events, in the order of time, and
 * with sizes that a terminal may have.
 * @throws Error if it has no header
 */
export function playable(text: string): Playable {
  const [first = '', ...lines] = text.split('\n')
  const header = parseJson(first)
  if (!isJsonObject(header) || header['version'] !== 2) throw new Error('it has no header of asciicast v2')
  const events: PlayableEvent[] = []
  let [unreadable, latest] = [0, 0]
  for (const line of lines) {
    if (line.trim() === '') continue
    const event = eventOf(parseJson(line))
    if (event === undefined) unreadable += 1
    else if (event.kind !== undefined) {
      latest = Math.max(latest, Math.min(event.seconds, mostSeconds))
      events.push([latest, event.kind, event.text])
    }
  }
  const [columns, rows] = [header['width'], header['height']].map((value) => (typeof value === 'number' ? value : 0))
  const sizes = readSizes({ width: columns!, height: rows! }, textsOf(events, 'r'))
  const begin = { columns: columns! > 0 ? columns! : sizes[0]?.columns, rows: rows! > 0 ? rows! : sizes[0]?.rows }
  let at = 0
  return {
    header: { version: 2, width: within('columns', begin.columns), height: within('rows', begin.rows) },
    events: events.flatMap(([seconds, kind, shown]): PlayableEvent[] => {
      if (kind !== 'r') return [[seconds, kind, shown]]
      const size = sizes[at]
      at += 1
      return size ? [[seconds, 'r', `${within('columns', size.columns)}x${within('rows', size.rows)}`]] : []
    }),
    unreadable,
  }
}

const within = (what: 'columns' | 'rows', value: number | undefined): number =>
  value === undefined || !Number.isInteger(value) || value < 1 ? usual[what] : Math.min(value, largest[what])

const textsOf = (events: readonly PlayableEvent[], wanted: PlayableEvent[1]): string[] =>
  events.flatMap(([, kind, text]) => (kind === wanted ? [text] : []))

/** Undefined if it is no event. Of an event that is not shown, such as input, there is no kind. */
function eventOf(value: unknown): { seconds: number; kind: PlayableEvent[1] | undefined; text: string } | undefined {
  if (!Array.isArray(value)) return undefined
  const [seconds, kind, text]: unknown[] = value
  if (typeof seconds !== 'number' || !(seconds >= 0) || typeof text !== 'string') return undefined
  return { seconds, kind: kind === 'o' || kind === 'r' || kind === 'm' ? kind : undefined, text }
}

/** Sequences that move the cursor, colour, and so on; and characters that are not shown. */
const unshown =
  // oxlint-disable-next-line no-control-regex
  /\u001B\[[0-?]*[ -/]*[@-~]|\u001B[\]PX^_][^\u0007\u001B]*(?:\u0007|\u001B\\)?|\u001B[ -/]*[0-~]|[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g

/** What a recording has shown, as text without colours; what was overwritten is there, too. */
export const transcript = ({ events }: Pick<Playable, 'events'>): string =>
  textsOf(events, 'o').join('').replaceAll('\r\n', '\n').replaceAll('\r', '\n').replaceAll(unshown, '')
