import { systemClock } from './clock.ts'

/** For code that is not given a clock. */
export const { sleep, every } = systemClock

/** Resolves when the signal aborts, at once if it has. */
export const aborted = (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve(undefined)
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
