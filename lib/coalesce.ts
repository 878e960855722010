/** A burst ends after this many milliseconds without an event; a longer one is interrupted. */
const quietMs = 50
const burstMs = 1000

/** Tells of an event. `atOnce`: nothing that belongs to it will follow. */
export type Notice = (how?: { readonly atOnce: boolean }) => void

/**
 * Merges a burst of events into one call of `action`, until `signal` aborts; calls never overlap. Of the events that need
 * not wait for others, the first of a burst is acted on at once, and so are those that wait.
 */
export function coalesce(action: () => void | Promise<void>, signal: AbortSignal): Notice {
  let timer: NodeJS.Timeout | undefined
  let began = 0
  let lastAtOnce = -Infinity
  let queued = false
  let last = Promise.resolve()
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
  const run = (): void | Promise<void> => {
    queued = false
    return signal.aborted ? undefined : action()
  }
  const fire = (): void => {
    timer = undefined
    if (queued) return
    queued = true
    last = last.then(run)
  }
  return ({ atOnce } = { atOnce: false }) => {
    if (signal.aborted) return
    const now = performance.now()
    if (timer === undefined) began = now
    clearTimeout(timer)
    const first = atOnce && now - lastAtOnce >= quietMs
    if (atOnce) lastAtOnce = now
    if (first) fire()
    else timer = setTimeout(fire, Math.max(0, Math.min(quietMs, began + burstMs - now)))
  }
}
