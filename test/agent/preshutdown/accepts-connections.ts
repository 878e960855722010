import { checks } from '../../../agent/status/checks.ts'
import type { World } from '../../../agent/world/world.ts'

/** Whether the shutdown check lets new connections in. */
export const acceptsConnections = (world: World): boolean =>
  checks(world).every(({ name, state }) => name !== 'shutdown' || state === 'ok')
