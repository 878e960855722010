import type { World } from '../world/world.ts'

/** A preStop hook waits until nothing is routed to this Pod any more (agent.md §6, "Preshutdown"). */
export type Preshutdown = {
  readonly since: Date
  /** Asking who answers for the services; waiting for the other nodes to follow, and then for all to forget the connections that were open; over, so that SIGTERM is next. */
  readonly phase: 'asking' | 'settling' | 'forgetting' | 'over'
  /** Services that may lead here yet, each with what was last heard of it. */
  readonly waitingFor: ReadonlyMap<string, string>
}

/** Names and reasons beyond so many are counted only. */
const named = 5

/** Some of the services, and why each is waited for. */
export function summary(services: ReadonlyMap<string, string>): string {
  const some = [...services].slice(0, named).map(([name, heard]) => `${name} (${heard})`)
  const others = services.size - some.length
  return `${some.join(', ')}${others > 0 ? ` and ${others} others` : ''}`
}

/** Why the Pod is to get no new connections, which its rules carry all the same; undefined when it may get them. */
export function draining({ preshutdown }: World): string | undefined {
  if (preshutdown === undefined) return undefined
  const { phase, waitingFor } = preshutdown
  if (phase === 'over') return 'drained: waiting for SIGTERM'
  if (phase === 'settling') return 'draining: waiting for other nodes to route elsewhere'
  if (phase === 'forgetting') return 'draining: waiting for nodes to forget the connections that were reset'
  return waitingFor.size === 0 ? 'draining' : `draining: waiting for ${summary(waitingFor)}`
}

/** For the status; its shape is documented in docs/operations.md. */
export const preshutdownView = ({ preshutdown }: World): Record<string, unknown> | null =>
  preshutdown === undefined
    ? null
    : {
        phase: preshutdown.phase,
        since: preshutdown.since.toISOString(),
        waitingFor: Object.fromEntries(preshutdown.waitingFor),
      }
