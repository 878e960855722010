import { some } from '../../lib/some.ts'
import type { GroupView } from '../group/use.ts'
import { called } from '../objects/annotations.ts'
import type { Condition } from '../objects/conditions.ts'
import { approval } from './names.ts'
import { type Replica, replicasOf } from './replicas.ts'
import { hostedUses, isAdvertisedBy, type Use } from './uses-of.ts'

/** How a use of a group stands: how many of its replicas advertise it, and what the others wait for. */
export type Standing = { readonly serving: number; readonly replicas: number; readonly missing: string | undefined }

/** Whether the tailnet sends clients of a Tailscale Service to a replica, among others, as far as that is known. */
export const serves = ({ isCurrent, advertised, accepted }: Replica, { service }: Pick<Use, 'service'>): boolean =>
  isCurrent && advertised.has(service) && accepted?.has(service) !== false

export function standingOf(view: GroupView, use: Use, replicas = replicasOf(view)): Standing {
  const serving = replicas.filter((replica) => serves(replica, use)).length
  return { serving, replicas: replicas.length, missing: use.lack ?? missingIn(replicas, use) ?? use.partly }
}

function missingIn(replicas: readonly Replica[], use: Use): string | undefined {
  if (replicas.length === 0) return 'replicas, of which the group has none'
  const because = (reason: string, which: readonly Replica[]): readonly string[] => {
    const names = which.map(({ name }) => name)
    return names.length === 0 ? [] : [`${some(names, { separator: ', ' })} ${reason}`]
  }
  const missing = replicas.filter((replica) => !serves(replica, use))
  const {
    absent = [],
    unproven = [],
    unready = [],
    late = [],
    held = [],
  } = Object.groupBy(missing, (replica) => {
    if (!replica.isCurrent) return 'absent'
    if (replica.advertised.has(use.service)) return 'held'
    if (isAdvertisedBy(use, replica)) return 'late'
    if (use.object.kind === 'ProxyGroup') return 'unready'
    return use.file === 'sites' ? 'held' : 'unproven'
  })
  const texts = [
    ...because('to run', absent),
    ...because('to forward its packets', unproven),
    ...because('to be ready', unready),
    ...because('to advertise it', late),
    ...because(`to be accepted as a host, ${approval}`, held),
  ]
  return texts.length === 0 ? undefined : texts.join('; ')
}

/** The condition of a group that tells which of its uses nobody serves, and what they wait for. */
export function groupCondition(view: GroupView): Condition {
  const type = 'CulvertServicesAdvertised'
  const replicas = replicasOf(view)
  const all = hostedUses(view).map((use) => ({ use, ...standingOf(view, use, replicas) }))
  const unserved = all.filter(({ serving, use }) => serving === 0 || use.partly !== undefined)
  if (unserved.length === 0) {
    const message =
      all.length === 0 ? 'nothing uses the group' : `replicas advertise all ${all.length} Tailscale Services`
    return { type, status: 'True', reason: 'ServicesAdvertised', message }
  }
  const texts = unserved.map(({ use, missing }) => `${called(use.object)} waits for ${missing ?? 'nothing any more'}`)
  return { type, status: 'False', reason: 'ServicesLacking', message: some(texts, { most: 10 }) }
}
