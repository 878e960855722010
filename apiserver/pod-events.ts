import type { KubeClient } from '../kube/client.ts'
import type { Clock } from '../lib/clock.ts'
import type { Caller } from './caller.ts'
import type { Origin } from '../lib/proxy-header.ts'
import type { Refused, RefusedFor } from './refused.ts'

/** How often the same is reported, in milliseconds. */
const againMs = 3_600_000

/** What people who look after the cluster or the policy may have to change; others learn of the rest. */
const reasons: ReadonlyMap<RefusedFor, string> = new Map([
  ['policy', 'RefusedByPolicy'],
  ['recorder', 'NoRecorder'],
])

type Refusal = {
  readonly refused: Refused
  readonly caller: Caller | undefined
  readonly origin: Origin | undefined
}

/**
 * Gives what records refusals as Events of the proxy's own Pod, if that is known: each kind once an hour, with the first
 * who met it. What cannot be recorded, since the proxy has no right to it for example, is dropped: the audit has it.
 */
export function refusalEvents(
  kube: Pick<KubeClient, 'createEvent'>,
  pod: { readonly name: string; readonly uid: string },
  clock: Clock,
  signal: AbortSignal,
): (refusal: Refusal) => void {
  const told = new Map<string, number>()
  return ({ refused, caller, origin }) => {
    const reason = reasons.get(refused.reason)
    if (reason === undefined || pod.name === '' || pod.uid === '') return
    // Messages are a closed list, so these are not many.
    const last = told.get(refused.message)
    if (last !== undefined && clock.now() - last < againMs) return
    told.set(refused.message, clock.now())
    const who = caller?.node || origin?.address.text || 'a device'
    const message = `A request of ${who} was refused: ${refused.message}.`
    void kube.createEvent({ type: 'Warning', reason, message, pod }, signal).catch(() => {})
  }
}
