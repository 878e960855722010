import type { Controller } from '../kube/controller/controller.ts'
import type { Clock } from '../lib/clock.ts'
import { freeMemory } from '../lib/heap.ts'

/** Milliseconds between two looks at what the controllers have done. */
const lookMs = 10_000
/** Fewer runs than this between two looks are none, and more than this since the last time are worth it. */
const fewRuns = 10
const manyRuns = 100

/** Decides by how many runs there have been in all, at each look, whether memory is given back now. */
export function settling(): (runs: number) => boolean {
  let before: number | undefined
  let settledAt: number | undefined
  return (runs) => {
    const isQuiet = before !== undefined && runs - before < fewRuns
    before = runs
    if (!isQuiet || (settledAt !== undefined && runs - settledAt < manyRuns)) return false
    settledAt = runs
    return true
  }
}

/**
 * Gives memory back when the controllers have nothing to do after much work: V8 does not while nothing is allocated, and
 * an operator is at rest nearly all of its time. It blocks for a fraction of a second.
 */
export function keepHeapSmall(
  controllers: readonly Pick<Controller, 'measures'>[],
  clock: Clock,
  signal: AbortSignal,
): void {
  const isTime = settling()
  clock.every(lookMs, signal, () => {
    if (isTime(controllers.reduce((sum, { measures }) => sum + measures().adds, 0))) freeMemory()
  })
}
