import type { Seen } from '../kind.ts'
import type { Condition } from '../objects/conditions.ts'
import type { Device } from './request.ts'

/** Far more replicas of anything are a slip, and their names alone would fill the memory. */
export const mostReplicas = 500

/** Whether the Pod of a device runs, has joined and forwards. */
export const isUp = ({ fqdn, isCurrent, isReady }: Device): boolean => fqdn !== undefined && isCurrent && isReady

/** Whether all devices of an object with these hostnames are up. `noun` begins the condition's type and its reasons. */
export function readiness(
  noun: 'Connector' | 'Recorder',
  hostnames: readonly string[],
  { devices, refused }: Seen,
): Condition {
  const type = `${noun}Ready`
  if (refused !== undefined) {
    const { as, reason, message } = refused
    return { type, status: 'False', reason: reason.startsWith(noun) ? reason : `${noun}${reasons[as]}`, message }
  }
  const up = devices.filter((device) => device.ordinal < hostnames.length && isUp(device))
  const count = `${up.length} of ${hostnames.length} ${hostnames.length === 1 ? 'device is' : 'devices are'} up`
  if (up.length < hostnames.length)
    return { type, status: 'False', reason: `${noun}${reasons.pending}`, message: count }
  const message = hostnames.length === 0 ? 'No devices are wanted.' : count
  return { type, status: 'True', reason: `${noun}Created`, message }
}

const reasons = { invalid: 'Invalid', pending: 'Creating', failed: 'CreationFailed' } as const
