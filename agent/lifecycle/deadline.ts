import { CulvertError } from '../../lib/errors.ts'
import { loginProblem, waitsForControl, waitsForPerson } from '../tailscaled/login.ts'
import type { Context } from '../world/context.ts'
import { reportedErrors } from '../world/reports.ts'
import type { World } from '../world/world.ts'
import { events } from './log-events.ts'

/**
 * Whether something outside must happen first: a person who logs in, another auth key, a control server that a known
 * node cannot reach. That takes as long as it takes, and no deadline runs meanwhile.
 */
const waitsForOther = ({ reissue, tailnet }: World): boolean =>
  reissue !== undefined || waitsForPerson(tailnet) || waitsForControl(tailnet)

/** What start-up waits for, in the words of the responsible parts. */
function waitsFor(world: World): string {
  const { problem, broken, access } = world.stateSecret ?? {}
  if (problem !== undefined && access === undefined) return problem
  return [loginProblem(world), ...(broken === undefined ? [] : [broken]), ...reportedErrors(world)].join('; ')
}

/**
 * Rejects when start-up takes longer than the boot deadline; until then logs what it waits for. Ends silently when
 * `signal` aborts.
 */
export function bootDeadline(
  { store, log, timings, clock }: Pick<Context, 'store' | 'log' | 'timings' | 'clock'>,
  signal: AbortSignal,
): Promise<never> {
  const { bootTimeoutMs } = store.world.settings
  let last = clock.now()
  let spent = 0
  let sinceProgress = 0
  return new Promise((_, reject) => {
    clock.every(100, signal, () => {
      const { world } = store
      const elapsed = clock.now() - last
      last += elapsed
      if (!waitsForOther(world)) spent += elapsed
      sinceProgress += elapsed
      if (sinceProgress >= timings.progress) {
        sinceProgress = 0
        log(events.waits({ problem: waitsFor(world) }))
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
