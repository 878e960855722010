/**
 * The header Retry-After, seconds or an HTTP date, as milliseconds from `now`, at least 0; undefined if it is neither.
 */
export function parseRetryAfter(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined
  if (/^\d+$/.test(text)) return Number(text) * 1000
  // Date.parse also accepts texts that are not dates.
  const at = text.endsWith(' GMT') ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}
