/** So many are told. */
const most = 3

/** The first of many texts in one line, and how many more there are. */
export const some = (texts: readonly string[]): string =>
  `${texts.slice(0, most).join('; ')}${texts.length > most ? `; and ${texts.length - most} more` : ''}`
