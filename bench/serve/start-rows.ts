import { alternate } from '../alternate.ts'
import { type Side, sides } from '../pair.ts'
import type { Row } from '../section.ts'

/** For a site that is started as a new node, and again with its state: ms until a client had its page. */
export type Starts = { readonly issued: number; readonly there: number }

/** Starts both sides’ sites `repeats` times in turn, plus one start that is not counted; the rows have these titles. */
export async function startRows(
  start: (side: Side) => Promise<Starts>,
  repeats: number,
  titles: Readonly<Record<keyof Starts, string>>,
  note: (detail: string) => void,
): Promise<Row[]> {
  const once = async (side: Side, repeat: number): Promise<Starts> => {
    note(`${side}, ${repeat} of ${repeats}`)
    return await start(side)
  }
  for (const side of sides) await once(side, 0)
  const took = await alternate(sides, repeats, (side, repeat) => once(side, repeat + 1))
  return (['issued', 'there'] as const).map((kind) => ({
    what: titles[kind],
    unit: 'ms',
    better: 'less',
    ours: took.ours.map((one) => one[kind]),
    other: took.upstream.map((one) => one[kind]),
  }))
}
