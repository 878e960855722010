import { CulvertError } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { every } from '../../lib/timers.ts'
import { loginProblem } from '../tailscaled/login.ts'
import { facetErrors } from '../status/status.ts'
import type { Waits } from '../world/timings.ts'
import type { Store, World } from '../world/world.ts'

/** Whether another must act, a person or who gives auth keys: that takes as long as it takes, and no deadline runs meanwhile. */
const waitsForOther = ({ reissue, tailnet: { state, loginUrl } }: World): boolean =>
  reissue !== undefined || (state === 'NeedsLogin' && loginUrl !== undefined) || state === 'NeedsMachineAuth'

/** What start-up waits for, in the words of those who have it to do. */
function waitsFor(world: World): string {
  const { problem, broken, access } = world.stateSecret ?? {}
  if (problem !== undefined && access === undefined) return problem
  return [loginProblem(world), ...(broken === undefined ? [] : [broken]), ...facetErrors(world)].join('; ')
}

/**
 * Rejects when start-up takes longer than the boot deadline (agent.md §2), and says while it waits what for. Ends
 * silently when `signal` aborts.
 */
export function bootDeadline(store: Store, log: Log, waits: Waits, signal: AbortSignal): Promise<never> {
  const { bootTimeoutMs } = store.world.settings
  let last = performance.now()
  let spent = 0
  let sinceProgress = 0
  return new Promise((_, reject) => {
    every(100, signal, () => {
      const { world } = store
      const elapsed = performance.now() - last
      last += elapsed
      if (!waitsForOther(world)) spent += elapsed
      sinceProgress += elapsed
      if (sinceProgress >= waits.progress) {
        sinceProgress = 0
        log(`not connected to the tailnet yet: ${waitsFor(world)}`)
      }
      if (spent < bootTimeoutMs) return
      reject(
        new CulvertError(
          'boot-deadline',
          `start-up did not finish within the boot deadline of ${bootTimeoutMs / 1000} s: ${waitsFor(world)}`,
          { remedy: 'TS_BOOT_TIMEOUT sets the deadline.' },
        ),
      )
    })
  })
}
