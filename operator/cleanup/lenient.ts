import type { Clock } from '../../lib/clock.ts'
import { describe } from '../../lib/errors.ts'
import { ApiError } from '../api/error.ts'
import type { ServiceApi } from '../group-ingress/vips.ts'
import type { Tailnet } from '../proxy/keying.ts'

type Removing = 'removeDevice' | 'removeKey' | 'removeService'
const nouns: Readonly<Record<Removing, string>> = { removeDevice: 'device', removeKey: 'auth key', removeService: '' }

/**
 * Tailscale's API for a cleanup: from `until` on, a time of the clock, what cannot be removed counts as removed, so that
 * the cluster is not kept waiting. `told` gets a line for each.
 */
export function lenient<T extends Tailnet & ServiceApi>(
  api: T,
  { until, clock, told }: { readonly until: number; readonly clock: Clock; readonly told: (text: string) => void },
): T {
  const patient =
    (name: Removing) =>
    async (id: string, signal: AbortSignal): Promise<void> => {
      try {
        await api[name](id, signal)
      } catch (error) {
        if (!(error instanceof ApiError) || clock.now() < until || signal.aborted) throw error
        told(`${nouns[name]} ${id} is left in the tailnet, remove it there: ${describe(error)}`.trim())
      }
    }
  return {
    ...api,
    removeDevice: patient('removeDevice'),
    removeKey: patient('removeKey'),
    removeService: patient('removeService'),
  }
}
