import type { Header } from './header.ts'

export type Size = { readonly columns: number; readonly rows: number }

/**
 * The sizes that the events of a recording have as text, such as `80x24`. asciicast has the columns first; recorders of
 * Tailscale write the rows first, but not in the header. So if the header is wide and the first change is high, or the
 * other way round, the sizes are taken to be swapped. Undefined: a text that is no size.
 */
export function readSizes(
  { width, height }: Pick<Header, 'width' | 'height'>,
  texts: readonly string[],
): (Size | undefined)[] {
  const pairs = texts.map((text) => {
    const [, first, second] = /^(\d{1,5})x(\d{1,5})$/.exec(text) ?? []
    return first === undefined ? undefined : ([Number(first), Number(second)] as const)
  })
  const begin = pairs.find((pair) => pair !== undefined && pair[0] !== pair[1])
  const isSwapped = begin !== undefined && Math.sign(width - height) === -Math.sign(begin[0] - begin[1])
  return pairs.map(
    (pair) => pair && (isSwapped ? { columns: pair[1], rows: pair[0] } : { columns: pair[0], rows: pair[1] }),
  )
}
