import type { Api } from '../../kube/controller/api.ts'
import { labels } from '../objects/names.ts'
import { labelsOf, type Parent } from '../objects/parent.ts'
import { secrets, statefulSets } from '../objects/resources.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import { manager } from '../world/followed.ts'
import { isOurs } from './owned.ts'

export type RelabelOptions = {
  readonly api: Pick<Api, 'page' | 'patch'>
  readonly settings: Pick<OperatorSettings, 'namespace'>
}

/**
 * Gives what finds StatefulSets and Secrets of a parent that are not followed, since somebody has removed their label,
 * and sets it again, so that they are removed like the others. Gives how many. For a parent that goes: otherwise they
 * get the label when they are applied.
 */
export function relabels({ api, settings: { namespace } }: RelabelOptions) {
  return async (parent: Parent, signal: AbortSignal): Promise<number> => {
    const { [labels.managed]: _managed, ...others } = labelsOf(parent)
    const selected = Object.entries(others).map(([name, value]) => `${name}=${value}`)
    const scope = { namespace, labels: [...selected, `!${labels.managed}`].join(',') }
    let found = 0
    for (const resource of [statefulSets, secrets]) {
      const { objects } = await api.page(resource, { scope, limit: 500 }, signal)
      for (const { metadata } of objects.filter((object) => isOurs(parent, object))) {
        const body = { metadata: { uid: metadata.uid, labels: { [labels.managed]: 'true' } } }
        await api.patch(resource, metadata, { type: 'merge', body, manager }, signal)
        found += 1
      }
    }
    return found
  }
}
