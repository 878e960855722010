import type { Refused, Seen } from '../kind.ts'
import type { Condition } from '../objects/conditions.ts'
import type { Device } from './request.ts'

/** Far more replicas of anything are a slip, and their names alone would fill the memory. */
export const mostReplicas = 500

/** Whether the Pod of a device runs, has joined and forwards. */
export const isUp = ({ fqdn, isCurrent, isReady }: Device): boolean => fqdn !== undefined && isCurrent && isReady

/** How a kind calls the condition that all of its devices are up, and its reasons. */
export type Words = {
  readonly type: string
  readonly created: string
  /** By what keeps an object from being as asked. */
  readonly refused: Readonly<Record<Refused['as'], string>>
  /** Reasons of refusals that are those of the condition, too. */
  readonly own?: readonly string[]
}

/** Whether all devices of an object with these hostnames are up. */
export function readiness(
  { type, created, refused: reasons, own = [] }: Words,
  hostnames: readonly string[],
  { devices, refused }: Seen,
): Condition {
  const not = (reason: string, message: string): Condition => ({ type, status: 'False', reason, message })
  if (refused !== undefined)
    return not(own.includes(refused.reason) ? refused.reason : reasons[refused.as], refused.message)
  const up = devices.filter((device) => device.ordinal < hostnames.length && isUp(device))
  const count = `${up.length} of ${hostnames.length} ${hostnames.length === 1 ? 'device is' : 'devices are'} up`
  if (up.length < hostnames.length) return not(reasons.pending, count)
  const message = hostnames.length === 0 ? 'No devices are wanted.' : count
  return { type, status: 'True', reason: created, message }
}
