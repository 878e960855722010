import type { Sample } from './metrics.ts'

/** Counts what happens, by labels; `samples` are those of a counter. */
export function tally(...names: readonly string[]) {
  const counts = new Map<string, { readonly labels: Readonly<Record<string, string>>; value: number }>()
  const count = (values: readonly string[], more: number): void => {
    const key = JSON.stringify(values)
    const labels = Object.fromEntries(names.map((name, at) => [name, values[at] ?? '']))
    const counted = counts.get(key) ?? { labels, value: 0 }
    counted.value += more
    counts.set(key, counted)
  }
  return {
    /** Has 0 for these values until something is counted: whoever asks later sees the first one as a rise, too. */
    start: (...values: readonly string[]): void => count(values, 0),
    /** Counts one more; `values` are those of the labels, in their order. */
    add: (...values: readonly string[]): void => count(values, 1),
    samples: (): readonly Sample[] => [...counts.values()].map((one) => ({ ...one })),
  }
}
