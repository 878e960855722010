import { some } from '../../lib/some.ts'
import { type GateVerdict, lacking } from '../group/pod-gate.ts'

/** Pods of ingress groups are not ready without this condition. */
export const gateType = 'culvert/ingress-services'

/** How a Tailscale Service of the group stands with a new Pod. */
export type Hosted = {
  readonly service: string
  /** Whether this Pod's node advertises it. */
  readonly isHere: boolean
  /** Whether another replica does. */
  readonly isElsewhere: boolean
}

/**
 * How long a new Pod waits for a Tailscale Service, in milliseconds since its containers were ready. One that others
 * host is worth waiting for: a rollout that goes on would take it from its clients. One that nobody hosts has lost
 * nothing. `settled`: the tailnet takes a moment to send clients to a node that has begun to advertise.
 */
export const patience = { elsewhere: 120_000, nowhere: 15_000, settled: 5000 }

/**
 * Whether a new Pod may count as ready, after `waited` milliseconds, and `complete` since all is advertised. It is
 * asked until it is open once; from then on it stays open.
 */
export function gate(services: readonly Hosted[], waited: number, complete: number): GateVerdict {
  const { missing, waits, again } = lacking(services, waited, patience)
  const names = (all: readonly Hosted[]): string =>
    some(
      all.map(({ service }) => service),
      { most: 5, separator: ', ', rest: 'others' },
    )
  if (waits.length > 0)
    return { isOpen: false, reason: 'ServicesPending', message: `is still to advertise ${names(waits)}`, again }
  if (missing.length > 0)
    return { isOpen: true, reason: 'ServicesMissing', message: `has not waited any longer for ${names(missing)}` }
  const settles = patience.settled - complete
  if (services.length > 0 && settles > 0) {
    const message = 'the tailnet learns that it advertises them'
    return { isOpen: false, reason: 'ServicesAdvertised', message, again: settles }
  }
  return { isOpen: true, reason: 'ServicesAdvertised', message: 'advertises all Tailscale Services of the group' }
}
