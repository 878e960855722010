/** The JSON escape of one UTF-16 code unit, in the form `\u003c`. */
export const escapeUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`

/** A text from outside as a line of the log may have it: the first `limit` characters in quotes, in visible ASCII. */
export function quote(text: string, limit = 60): string {
  const start = JSON.stringify(text.slice(0, limit)).replaceAll(/[^ -~]/g, escapeUnit)
  return text.length > limit ? `${start}…` : start
}
