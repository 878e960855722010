import type { Sample } from './metrics.ts'

/** Counts values by their size, in the buckets of Prometheus. */
export type Histogram = {
  readonly observe: (value: number) => void
  /** As samples of a metric of type `histogram`. */
  readonly samples: (labels: Readonly<Record<string, string>>) => readonly Sample[]
}

/** Upper bounds for times in seconds, from what takes no time to what is given up. */
const times = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]

/** `bounds`: what each bucket has at most, ascending; one without a bound follows. */
export function histogram(bounds: readonly number[] = times): Histogram {
  const counts = bounds.map(() => 0)
  let sum = 0
  let count = 0
  return {
    observe: (value) => {
      sum += value
      count += 1
      for (const [at, bound] of bounds.entries()) if (value <= bound) counts[at]! += 1
    },
    samples: (labels) => [
      ...bounds.map((bound, at) => ({
        suffix: '_bucket' as const,
        labels: { ...labels, le: String(bound) },
        value: counts[at]!,
      })),
      { suffix: '_bucket', labels: { ...labels, le: '+Inf' }, value: count },
      { suffix: '_sum', labels, value: sum },
      { suffix: '_count', labels, value: count },
    ],
  }
}
