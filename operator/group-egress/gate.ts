import { some } from '../../lib/some.ts'
import { type GateVerdict, lacking } from '../group/pod-gate.ts'

/** Pods of egress groups are not ready without this condition. */
export const gateType = 'tailscale.com/egress-services'

/** How a Service of the group stands with a new Pod. */
export type Routed = {
  /** As `namespace/name`. */
  readonly name: string
  /** Whether the cluster leads clients of the Service to this Pod, among others. */
  readonly isHere: boolean
  /** Whether it leads them to another Pod. */
  readonly isElsewhere: boolean
}

/**
 * How long a new Pod waits for a Service, in milliseconds since its containers were ready. One that works elsewhere is
 * worth waiting for: a rollout that goes on would take it from its clients. One that works nowhere most likely has a
 * target that is missing, and lost nothing; without its Pods the others would lose theirs.
 */
export const patience = { elsewhere: 120_000, nowhere: 10_000 }

/**
 * Whether a new Pod may count as ready, after `waited` milliseconds. It is asked until it is open once; from then on it
 * stays open, whatever becomes of a Service: EndpointSlices follow that by themselves.
 */
export function gate(services: readonly Routed[], waited: number): GateVerdict {
  const { missing, waits, again } = lacking(services, waited, patience)
  const names = (all: readonly Routed[]): string =>
    some(all.map(({ name }) => name).toSorted(), { most: 5, separator: ', ', rest: 'others' })
  if (waits.length > 0)
    return { isOpen: false, reason: 'EgressServicesPending', message: `waits for ${names(waits)}`, again }
  if (missing.length > 0)
    return { isOpen: true, reason: 'EgressServicesMissing', message: `has not waited any longer for ${names(missing)}` }
  return { isOpen: true, reason: 'EgressServicesRouted', message: 'clients of all Services of the group are led here' }
}
