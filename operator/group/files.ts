import { isDeepStrictEqual } from 'node:util'
import { type Controller, controller, type Flight } from '../../kube/controller/controller.ts'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import { describe } from '../../lib/errors.ts'
import { finalizer } from '../objects/names.ts'
import { configMaps, proxyGroups } from '../objects/resources.ts'
import { adopting } from '../proxy/adopt.ts'
import { isOurs } from '../proxy/owned.ts'
import { groupConfigMap } from './children.ts'
import type { GroupsOptions } from './controller.ts'
import { parentOfGroup, readGroup, typeOf } from './group.ts'
import { sourcesFor, triggersFor } from './triggers.ts'
import type { GroupUse, GroupView } from './use.ts'

/** Files that change often, as when many begin to use a group, are written once in this time at most. */
const restMs = 500

/**
 * Keeps the files that the replicas of groups mount: what running replicas wait for must not wait for anything else of
 * the group, such as a key for another replica.
 */
export function groupFiles(options: Omit<GroupsOptions, 'tailnet' | 'resolveClass'>): Controller {
  const { api, caches, applier, tell, settings, uses, clock, problem } = options
  const { world } = caches
  const store = caches.store(proxyGroups)
  const apply = adopting(api, caches, applier.apply)
  /** When files were written last, by the key of the group. */
  const written = new Map<string, number>()

  const bring = async (key: string, view: GroupView, use: GroupUse, flight: Flight): Promise<{ again?: number }> => {
    const files = groupConfigMap(use, view)
    const present = world.get(configMaps, keyOf(files.metadata))
    const rest = (written.get(key) ?? -Infinity) + restMs - clock.now()
    const isSame = isDeepStrictEqual(present?.['binaryData'], files['binaryData'])
    if (present !== undefined && !isSame && rest > 0) return { again: Math.ceil(rest) }
    const owns = (one: KubeObject): boolean => isOurs(parentOfGroup(view.group.name), one)
    if ((await apply(files, flight, { owns })) === 'written') written.set(key, clock.now())
    return {}
  }

  return controller({
    name: 'files of groups',
    sources: sourcesFor(caches, uses),
    triggers: triggersFor(caches, uses, settings),
    concurrency: settings.concurrency,
    clock,
    problem,
    reconcile: async (key, flight) => {
      const object = store.get(key)
      if (object === undefined) written.delete(key)
      const use = object && uses.find(({ type }) => type === typeOf(object))
      if (object === undefined || use === undefined) return {}
      const { deletionTimestamp, finalizers = [] } = object.metadata
      // Without it, nothing would take them away.
      if (deletionTimestamp !== undefined || !finalizers.includes(finalizer)) return {}
      return bring(key, { group: readGroup(object, settings), world, settings }, use, flight)
    },
    // What the group itself cannot be is told by its controller.
    refuse: async (key, error) => {
      const object = store.get(key)
      if (object === undefined || error.reason !== 'NotOwned') return
      await tell(object, { type: 'Warning', reason: error.reason, message: describe(error) })
    },
  })
}
