import type { Clock } from '../../lib/clock.ts'
import type { TailscaleApi } from '../api/api.ts'
import { soonest } from './each.ts'
import type { Device } from './request.ts'

/** Networks that a node offers, and that nobody has approved. */
export type Unapproved = { readonly node: string; readonly routes: readonly string[] }

/** How old an answer may be, in milliseconds: somebody who approves routes wants to see that. */
const ages = { unapproved: 60_000, well: 600_000 } as const
/** How long an answer may take, in milliseconds: what is known without it is to be told. */
const patienceMs = 5000
/** Of more replicas, the others are hardly different. */
const most = 10

type Known = { readonly at: number; readonly routes: readonly string[] }

/**
 * Gives what looks for networks that nodes offer in vain. `wanted` are all that they are to offer. What the server does
 * not say is not known, and nothing waits for it. `again`: milliseconds after which to look again.
 */
export function approvals({ tailnet, clock }: ApprovalOptions) {
  const known = new Map<string, Known>()

  /** Undefined if the server does not answer: those who cannot do without tell that. */
  const look = async (id: string, wanted: readonly string[], signal: AbortSignal): Promise<Known | undefined> => {
    try {
      const device = await tailnet.getDevice(id, AbortSignal.any([signal, clock.timeout(patienceMs)]))
      const { advertised = [], enabled = [] } = device?.routes ?? {}
      const routes = wanted.filter((route) => advertised.includes(route) && !enabled.includes(route))
      return { at: clock.now(), routes }
    } catch {
      return undefined
    }
  }

  return async (
    wanted: readonly string[],
    devices: readonly Device[],
    signal: AbortSignal,
  ): Promise<{ readonly unapproved: readonly Unapproved[]; readonly again: number | undefined }> => {
    const up = wanted.length === 0 ? [] : devices.filter(({ isCurrent, fqdn }) => isCurrent && fqdn !== undefined)
    const unapproved: Unapproved[] = []
    const waits: number[] = []
    for (const { id = '', fqdn = '' } of up.slice(0, most)) {
      const key = JSON.stringify([id, wanted])
      const before = known.get(key)
      const isFresh = before !== undefined && leftOf(before, clock.now()) > 0
      const found = isFresh ? before : await look(id, wanted, signal)
      if (found === undefined) {
        waits.push(ages.unapproved)
        break
      }
      known.set(key, found)
      const { routes } = found
      if (routes.length > 0) unapproved.push({ node: fqdn.split('.')[0] ?? '', routes })
      waits.push(Math.max(1000, leftOf(found, clock.now())))
    }
    for (const [key, one] of known) if (leftOf(one, clock.now()) < -ages.well) known.delete(key)
    return { unapproved, again: soonest(waits) }
  }
}

export type ApprovalOptions = {
  readonly tailnet: Pick<TailscaleApi, 'getDevice'>
  readonly clock: Pick<Clock, 'now' | 'timeout'>
}

const leftOf = ({ at, routes }: Known, now: number): number =>
  at + (routes.length > 0 ? ages.unapproved : ages.well) - now
