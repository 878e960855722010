import { some } from '../../lib/some.ts'
import type { World } from '../world/world.ts'

/** Names and reasons beyond so many are counted only. */
const named = 5

/** Some of the services, and why each is waited for. */
export function summary(services: ReadonlyMap<string, string>): string {
  const texts = [...services].map(([name, heard]) => `${name} (${heard})`)
  return some(texts, { most: named, separator: ', ', rest: 'others' })
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
