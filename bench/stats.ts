/** The summary of repeated measurements. */
export type Summary = { readonly median: number; readonly low: number; readonly high: number }

/** The value below which the `share` (0 to 1) of the values lies, interpolated; NaN without values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const [below, above] = [sorted[Math.floor(at)] ?? Number.NaN, sorted[Math.ceil(at)] ?? Number.NaN]
  return below + (above - below) * (at - Math.floor(at))
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

export function summarize(values: readonly number[]): Summary {
  return { median: median(values), low: Math.min(...values), high: Math.max(...values) }
}

/** Each value divided by its neighbour of the other side; a drift of the machine cancels out. */
export function ratios(values: readonly number[], beside: readonly number[]): number[] {
  return values.map((value, at) => value / (beside[at] ?? Number.NaN))
}
