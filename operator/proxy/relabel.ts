import type { Api } from '../../kube/controller/api.ts'
import type { Flight } from '../../kube/controller/controller.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import type { Resource } from '../../kube/controller/resource.ts'
import { labels } from '../objects/names.ts'
import { labelsOf, type Parent, parentResources } from '../objects/parent.ts'
import { secrets, statefulSets } from '../objects/resources.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { Caches } from '../world/caches.ts'
import { isOurs } from './owned.ts'
import { patches } from './report.ts'

export type RelabelOptions = {
  readonly api: Pick<Api, 'page' | 'patch'>
  readonly caches: Pick<Caches, 'store'>
  readonly settings: Pick<OperatorSettings, 'namespace'>
}

/**
 * Gives what finds objects of a parent that are not followed, since somebody has removed their label, or since Tailscale's
 * operator has made them under labels of another form, and sets ours, so that they are treated like the others. They lose
 * the owner with which Kubernetes would remove them. Gives those that it has found.
 */
export function relabels({ api, caches, settings: { namespace } }: RelabelOptions) {
  return async (
    parent: Parent,
    flight: Flight,
    resources: readonly Resource[] = [statefulSets, secrets],
  ): Promise<readonly KubeObject[]> => {
    const all = labelsOf(parent)
    const { [labels.managed]: _managed, ...others } = all
    const forms = [{ selected: others, isTheirs: isOurs }, ...(parent.type === 'recorder' ? [upstream(parent)] : [])]
    const found: KubeObject[] = []
    for (const resource of resources) {
      const patch = patches({ api, resource, store: caches.store(resource) })
      for (const { selected, isTheirs } of forms) {
        const pairs = Object.entries(selected).map(([name, value]) => `${name}=${value}`)
        const scope = { namespace, labels: [...pairs, `!${labels.managed}`].join(',') }
        const { objects } = await api.page(resource, { scope, limit: 500 }, flight.signal)
        for (const one of objects.filter((object) => isTheirs(parent, object))) {
          await patch(one, { metadata: { uid: one.metadata.uid, labels: all, ownerReferences: null } }, flight)
          found.push(one)
        }
      }
    }
    return found
  }
}

/** What Tailscale's operator makes for Recorders has other labels than what it makes for others. */
const upstream = ({ name }: Parent) => ({
  selected: {
    'app.kubernetes.io/name': 'recorder',
    'app.kubernetes.io/instance': name,
    'app.kubernetes.io/managed-by': 'tailscale-operator',
  },
  isTheirs: ({ type }: Parent, { metadata }: KubeObject): boolean =>
    metadata.ownerReferences?.some((one) => one.kind === parentResources[type].kind && one.name === name) === true,
})
