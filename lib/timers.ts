import { setTimeout as delay } from 'node:timers/promises'

/**
 * Waits `ms` milliseconds or until `signal` aborts, whichever is first. Never rejects: a caller that must tell the
 * two apart looks at `signal.aborted`.
 */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, signal === undefined ? {} : { signal })
  } catch {
    // Aborted: the wait is over, which is all that was asked.
  }
}

/** Calls `action` every `ms` milliseconds until `signal` aborts. The timer does not keep the process alive. */
export function every(ms: number, signal: AbortSignal, action: () => void): void {
  if (signal.aborted) return
  const timer = setInterval(action, ms)
  timer.unref()
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
}
