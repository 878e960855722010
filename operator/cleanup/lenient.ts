import type { Clock } from '../../lib/clock.ts'
import { describe } from '../../lib/errors.ts'
import { ApiError } from '../api/error.ts'
import type { ServiceApi } from '../group-ingress/vips.ts'
import type { Tailnet } from '../proxy/keying.ts'

/**
 * Tailscale's API for a cleanup: from `until` on, a time of the clock, what cannot be removed counts as removed, so that
 * the cluster is not kept waiting. `told` gets a line for each.
 */
export function lenient<T extends Tailnet & ServiceApi>(
  api: T,
  { until, clock, told }: { readonly until: number; readonly clock: Clock; readonly told: (text: string) => void },
): T {
  const patient =
    <R>(noun: string, call: (id: string, signal: AbortSignal) => Promise<R>) =>
    async (id: string, signal: AbortSignal): Promise<R | undefined> => {
      try {
        return await call(id, signal)
      } catch (error) {
        if (!(error instanceof ApiError) || clock.now() < until || signal.aborted) throw error
        told(`${noun} ${id} is left in the tailnet, remove it there: ${describe(error)}`.trim())
        return undefined
      }
    }
  return {
    ...api,
    // What is looked at will be removed.
    getDevice: patient('device', api.getDevice),
    removeDevice: patient('device', api.removeDevice),
    getKey: patient('auth key', api.getKey),
    removeKey: patient('auth key', api.removeKey),
    removeService: patient('', api.removeService),
  }
}
