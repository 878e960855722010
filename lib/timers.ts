import { systemClock } from './clock.ts'

/** For code without a clock of its own. */
export const { sleep, every } = systemClock

/** Resolves when the signal aborts, at once if it already has. */
export const aborted = (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve(undefined)
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
