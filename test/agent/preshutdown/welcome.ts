import { checks } from '../../../agent/status/checks.ts'
import type { World } from '../../../agent/world/world.ts'

/** Whether new connections are welcome, as far as the stop is concerned. */
export const isWelcome = (world: World): boolean =>
  checks(world).every(({ name, state }) => name !== 'shutdown' || state === 'ok')
