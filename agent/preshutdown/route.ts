import type { Answer, Route } from '../../lib/http-server.ts'
import { type Parts, waitUntilDrained } from './wait.ts'

const safe: Answer = { status: 200, body: 'safe to terminate' }

/**
 * Answers a preStop hook when the Pod may end. Concurrent requests share one wait, which ends a while after the last
 * client has gone: each wait asks every service, and anybody can send requests. Readiness and flows do not change, and
 * neither does `/healthz`, which is how routes are detected.
 */
export function preshutdownRoute(parts: Parts): Route {
  const { store, clock, timings, signal } = parts
  const write = store.writer('preshutdown')
  let shared: { readonly done: Promise<void>; readonly deserted: AbortController; callers: number } | undefined

  const begin = () => {
    const deserted = new AbortController()
    const done = waitUntilDrained(parts, write, deserted.signal)
    return { done, deserted, callers: 0 }
  }

  return async (_query, gone) => {
    const { content, rejected } = store.world.mounted.egressServices ?? {}
    if (content === undefined) return rejected === undefined ? safe : { status: 500, body: rejected }
    if (content.services.size === 0) return { status: 200, body: '' }
    shared ??= begin()
    const joined = shared
    joined.callers += 1
    const leave = (): void => {
      joined.callers -= 1
      if (joined.callers > 0) return
      clock.after(timings.drainDeserted, signal, () => {
        if (joined.callers > 0) return
        joined.deserted.abort()
        if (shared === joined) shared = undefined
      })
    }
    gone.addEventListener('abort', leave, { once: true })
    await joined.done
    if (shared === joined) shared = undefined
    return signal.aborted ? { status: 503, body: 'the agent stops' } : safe
  }
}
