import type { TailnetDevice } from '../api/api.ts'
import { error, type Finding, ok, warning } from '../../lib/finding.ts'

/** What is known in the cluster: which tags proxies have, and the IDs of the devices that Secrets name. */
export type Known = { readonly tags: readonly string[]; readonly ids: ReadonlySet<string> }

/**
 * Devices with a tag of proxies that nobody in the cluster knows, as after a restore of etcd. What is connected belongs
 * to somebody, such as another cluster, and so may one of which the server does not say that it is not.
 */
export const lostAmong = (devices: readonly TailnetDevice[], { tags, ids }: Known): readonly TailnetDevice[] =>
  devices.filter(
    (device) => device.isConnected === false && !ids.has(device.id) && device.tags.some((tag) => tags.includes(tag)),
  )

/** What is lost, and how to remove it. */
export function judgeLost(lost: readonly TailnetDevice[], { tags }: Pick<Known, 'tags'>): readonly Finding[] {
  if (lost.length === 0) return [ok('devices', `each device with ${tags.join(' or ')} is known here, or connected`)]
  return lost.map(({ id, name, addresses }) =>
    warning(
      'lost',
      `${id} (${[name, ...addresses].join(', ')}) is not connected, and no Secret here names it`,
      `If no other cluster has it: --remove=${id}`,
    ),
  )
}

/** Removes devices of these that are lost. A failure ends it. */
export async function removeLost(
  ids: readonly string[],
  lost: readonly TailnetDevice[],
  remove: (id: string) => Promise<void>,
): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const id of ids) {
    const found = lost.find((device) => device.id === id)
    if (found === undefined) {
      const remedy = 'devices without --remove says which are.'
      findings.push(error('stays', `${id} is none of those that are lost`, remedy))
      continue
    }
    await remove(id)
    findings.push(ok('removed', `${id} (${found.name})`))
  }
  return findings
}
