/** The JSON escape of one UTF-16 code unit, in the form `\u003c`. */
export const escapeUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`

/** Makes an external text safe for one log line: everything but visible ASCII and spaces is escaped. */
export const visible = (text: string): string => text.replaceAll(/[^ -~]/g, escapeUnit)

/**
 * A line of ours, in which what others have written cannot control a terminal or begin another line. Our own marks stay
 * as they are.
 */
export const readable = (line: string): string => line.replaceAll(/[^ -~’…–]/g, visible)

/** The same as `visible` in quotes, at most `limit` characters of it. */
export const quote = (text: string, limit = 60): string =>
  `${visible(JSON.stringify(text.slice(0, limit)))}${text.length > limit ? '…' : ''}`
