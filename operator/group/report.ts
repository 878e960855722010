import * as z from 'zod/mini'
import type { KubeObject } from '../../kube/controller/object.ts'
import { some } from '../../lib/some.ts'
import type { Refused } from '../kind.ts'
import type { Condition } from '../objects/conditions.ts'
import { troubleOf } from '../proxy/trouble.ts'
import { deleting } from '../proxy/waiting.ts'
import { fromClassIn } from './device-config.ts'
import type { Replica } from './replicas.ts'

export const ready = 'ProxyGroupReady'
export const available = 'ProxyGroupAvailable'

/** How a group stands. */
export type GroupReport = {
  readonly status: Readonly<Record<string, unknown>>
  readonly conditions: readonly Condition[]
}

/**
 * What is reported of a group with these replicas. `refused`: what keeps it from being as asked; `lack`: why it is not
 * ready even if all replicas are.
 */
export function groupReport(replicas: readonly Replica[], refused: Refused | undefined, lack?: string): GroupReport {
  const running = replicas.filter(({ isRunning }) => isRunning)
  const waiting = replicas.flatMap((replica) => {
    const trouble = troubleWith(replica)
    return trouble === undefined ? [] : [`${replica.name}: ${trouble}`]
  })
  const all = replicas.length
  const counted = all === 0 ? 'no replicas are asked for' : `${all - waiting.length} of ${all} replicas are ready`
  const text = [counted, ...(waiting.length === 0 ? [] : [some(waiting)]), ...(lack === undefined ? [] : [lack])].join(
    '. ',
  )
  const isReady = refused === undefined && waiting.length === 0 && lack === undefined
  const isComplete = running.length === all && all > 0
  return {
    status: { devices: devicesOf(running) },
    conditions: [
      {
        type: ready,
        status: isReady ? 'True' : 'False',
        reason: isReady ? ready : reasonOf(refused),
        message: refused === undefined ? text : `${refused.message.replace(/\.$/, '')}. ${text}`,
      },
      {
        type: available,
        status: running.length > 0 ? 'True' : 'False',
        reason: isComplete ? available : 'ProxyGroupCreating',
        message: `${running.length} of ${all} replicas run`,
      },
    ],
  }
}

function reasonOf(refused: Refused | undefined): string {
  if (refused?.reason === deleting) return deleting
  if (refused === undefined || refused.as === 'pending') return 'ProxyGroupCreating'
  if (refused.as === 'failed') return 'ProxyGroupCreationFailed'
  return refused.reason.startsWith('ProxyGroup') ? refused.reason : 'ProxyGroupInvalid'
}

/** The API refuses two with one name, which a tailnet can give to two devices for a moment. */
function devicesOf(running: readonly Replica[]): readonly object[] {
  const byName = new Map(
    running.map(({ fqdn = '', addresses, config }) => {
      const hostname = fqdn.split('.')[0] ?? ''
      const staticEndpoints = fromClassIn(config)?.staticEndpoints ?? []
      const device = { hostname, tailnetIPs: addresses, ...(staticEndpoints.length > 0 && { staticEndpoints }) }
      return [hostname, device] as const
    }),
  )
  return [...byName.values()]
}

/** Why a replica is not ready; undefined if it is. */
function troubleWith(replica: Replica): string | undefined {
  const { pod, isAsking, isCurrent, id, fqdn, isReady } = replica
  if (pod === undefined) return 'there is no Pod yet'
  const trouble = troubleOf(pod)
  if (trouble !== undefined) return trouble
  if (isAsking) return 'its auth key was refused, and another one is made'
  if (!isCurrent) return 'its Pod starts'
  if (id === undefined) return 'its Pod has not joined the tailnet yet'
  if (fqdn === undefined) return 'its Pod does not forward yet'
  if (isReady) return undefined
  if (pod.metadata.deletionTimestamp !== undefined) return 'its Pod ends, and another one follows'
  return gatesOf(pod)
}

const podStatus = z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })) })

function gatesOf({ status }: KubeObject): string {
  const { conditions = [] } = z.safeParse(podStatus, status).data ?? {}
  const isTrue = (type: string): boolean => conditions.some((one) => one.type === type && one.status === 'True')
  return isTrue('ContainersReady')
    ? 'its Pod waits until traffic is led to it'
    : 'its Pod is not ready: its log says what it waits for'
}
