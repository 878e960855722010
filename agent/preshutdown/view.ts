import { some } from '../../lib/some.ts'
import type { World } from '../world/world.ts'

/** More names than this are only counted. */
const named = 5

/** Some of the services, each with the reason why it is waited for. */
export function summary(services: ReadonlyMap<string, string>): string {
  const texts = [...services].map(([name, heard]) => `${name} (${heard})`)
  return some(texts, { most: named, separator: ', ', rest: 'others' })
}

/** For the status; docs/operations.md documents the shape. */
export const preshutdownView = ({ preshutdown }: World): Record<string, unknown> | null =>
  preshutdown === undefined
    ? null
    : {
        phase: preshutdown.phase,
        since: preshutdown.since.toISOString(),
        waitingFor: Object.fromEntries(preshutdown.waitingFor),
      }
