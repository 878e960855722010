import type { Answer, Route } from '../endpoints/http.ts'
import { type Parts, prepareToEnd } from './phases.ts'

const safe: Answer = { status: 200, body: 'safe to terminate' }

/**
 * Answers a preStop hook when the Pod may end (agent.md §6, "Preshutdown"). All who ask at the same time share one
 * drain, which ends when the last of them has gone. Readiness is down meanwhile; `/healthz` stays as it is, since it is
 * by that answer that the drain is measured.
 */
export function preshutdownRoute(parts: Parts): Route {
  const { store, signal } = parts
  let shared: { readonly done: Promise<void>; readonly deserted: AbortController; callers: number } | undefined

  const begin = () => {
    const deserted = new AbortController()
    const done = prepareToEnd(parts, deserted.signal)
    return { done, deserted, callers: 0 }
  }

  return async (_query, gone) => {
    const { content, rejected } = store.world.egressServices ?? {}
    if (content === undefined) return rejected === undefined ? safe : { status: 500, body: rejected }
    if (content.services.size === 0) return { status: 200, body: '' }
    shared ??= begin()
    const joined = shared
    joined.callers += 1
    const leave = (): void => {
      joined.callers -= 1
      if (joined.callers > 0) return
      joined.deserted.abort()
      if (shared === joined) shared = undefined
    }
    gone.addEventListener('abort', leave, { once: true })
    await joined.done
    if (shared === joined) shared = undefined
    return signal.aborted ? { status: 503, body: 'the agent stops' } : safe
  }
}
