type Options = {
  readonly most?: number
  readonly separator?: '; ' | ', '
  /** The noun for those that are not named. */
  readonly rest?: 'more' | 'others'
}

/** The first of many texts in one line, three by default, and how many more there are. */
export function some(texts: readonly string[], { most = 3, separator = '; ', rest = 'more' }: Options = {}): string {
  const first = texts.slice(0, most).join(separator)
  const left = texts.length - most
  if (left <= 0) return first
  return `${first}${separator === '; ' ? ';' : ''} and ${left} ${rest}`
}

/** The first ten of many texts within a sentence, and how many others there are. */
export const listed = (texts: readonly string[]): string => some(texts, { most: 10, separator: ', ', rest: 'others' })
