import type { Sample } from './metrics.ts'

/** Counts what happens, by labels; `samples` are those of a counter. */
export function tally(...names: readonly string[]) {
  const counts = new Map<string, { readonly labels: Readonly<Record<string, string>>; value: number }>()
  return {
    /** Counts one more; `values` are those of the labels, in their order. */
    add: (...values: readonly string[]): void => {
      const key = JSON.stringify(values)
      const labels = Object.fromEntries(names.map((name, at) => [name, values[at] ?? '']))
      const counted = counts.get(key) ?? { labels, value: 0 }
      counted.value += 1
      counts.set(key, counted)
    },
    samples: (): readonly Sample[] => [...counts.values()].map((one) => ({ ...one })),
  }
}
