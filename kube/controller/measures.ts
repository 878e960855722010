import type { Clock } from '../../lib/clock.ts'
import { type Histogram, histogram } from '../../lib/histogram.ts'

/** What Kubernetes measures of work queues; all times in seconds. */
export type QueueMeasures = {
  readonly adds: number
  readonly retries: number
  /** From when a key was due until it began. */
  readonly waited: Histogram
  readonly worked: Histogram
  /** How long what runs now has run: all together, and the one that runs the longest. */
  readonly unfinished: number
  readonly longest: number
}

/** Takes the measures of a queue. */
export function queueMeasures(clock: Clock) {
  /** When keys that wait are due, and when those that run began. */
  const due = new Map<string, number>()
  const begun = new Map<string, number>()
  const [waited, worked] = [histogram(), histogram()]
  const counts = { adds: 0, retries: 0 }
  const since = (time: number): number => Math.max(0, clock.now() - time) / 1000
  return {
    count: (what: keyof typeof counts): void => void (counts[what] += 1),
    waits: (key: string, until: number): void => void due.set(key, Math.min(due.get(key) ?? Infinity, until)),
    begins: (key: string): void => {
      waited.observe(since(due.get(key) ?? clock.now()))
      due.delete(key)
      begun.set(key, clock.now())
    },
    ends: (key: string): void => {
      worked.observe(since(begun.get(key) ?? clock.now()))
      begun.delete(key)
    },
    taken: (): QueueMeasures => {
      const running = [...begun.values()].map(since)
      const unfinished = running.reduce((sum, one) => sum + one, 0)
      return { ...counts, waited, worked, unfinished, longest: Math.max(0, ...running) }
    },
  }
}
