/** The spellings of values that manifests written for Go programs use. */

const booleans = new Map<string, boolean>([
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'F', 'FALSE', 'false', 'False'].map((text) => [text, false] as const),
])

/** Go's strconv.ParseBool; undefined for any other spelling. */
export const parseBool = (text: string): boolean | undefined => booleans.get(text)

const units = new Map([
  ['ns', 1e-6],
  ['us', 1e-3],
  ['µs', 1e-3],
  ['μs', 1e-3],
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
])

/**
 * Go's time.ParseDuration, in milliseconds: one or more decimal numbers, each with a unit (`1m30s`, `1.5h`, `-2s`);
 * only `0` may lack one. Undefined for any other text.
 */
export function parseDuration(text: string): number | undefined {
  const sign = text.startsWith('-') ? -1 : 1
  const body = text.replace(/^[+-]/, '')
  if (body === '0') return 0
  const term = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/gy
  let total = 0
  let end = 0
  for (let match = term.exec(body); match !== null; match = term.exec(body)) {
    total += Number(match[1]) * (units.get(match[2] ?? '') ?? Number.NaN)
    end = term.lastIndex
  }
  return end === body.length && end > 0 && Number.isFinite(total) ? sign * total : undefined
}

/**
 * Go's strconv.ParseUint(text, 0, 32): decimal, or with the base's prefix (`0x7`, `0o7`, `07`, `0b1`), and with `_`
 * between digits. Undefined for any other text, and for what is larger.
 */
export function parseUint32(text: string): number | undefined {
  if (!/^(?:0|[1-9](?:_?\d)*|0[xX](?:_?[\da-fA-F])+|0[bB](?:_?[01])+|0[oO]?(?:_?[0-7])+)$/.test(text)) return undefined
  const value = Number(text.replaceAll('_', '').replace(/^0(?=\d)/, '0o'))
  return value <= 0xff_ff_ff_ff ? value : undefined
}
