import { type Controller, controller, trigger, UserError } from '../../kube/controller/controller.ts'
import { finalize } from '../../kube/controller/finalize.ts'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import { proxyGroups, secrets } from '../objects/resources.ts'
import { manager } from '../world/followed.ts'
import { acmeAccounts, acmeFinalizer, acmeSecret, sharesAccount } from './acme.ts'
import type { GroupsOptions } from './controller.ts'
import { readGroup } from './group.ts'

/** Makes the Secret with the shared ACME accounts when a group uses it, and lets it go only when none does. */
export function acmeAccountsOf(options: Omit<GroupsOptions, 'uses' | 'tailnet' | 'resolveClass'>): Controller {
  const { api, caches, applier, tell, settings, clock, problem } = options
  const store = caches.store(secrets)
  const key = keyOf({ namespace: settings.namespace, name: acmeSecret })

  const sharing = (): readonly KubeObject[] =>
    [...caches.world.all(proxyGroups)].filter((object) => {
      try {
        return object.metadata.deletionTimestamp === undefined && sharesAccount(readGroup(object, settings), settings)
      } catch (error) {
        if (error instanceof UserError) return false
        throw error
      }
    })

  return controller({
    name: 'ACME accounts',
    sources: caches.sources([secrets, proxyGroups]),
    triggers: [
      trigger(store, (change) => (change.key === key ? [key] : [])),
      trigger(caches.store(proxyGroups), () => [key]),
    ],
    clock,
    problem,
    reconcile: async (_key, flight) => {
      const users = sharing()
      const present = store.get(key)
      if (present?.metadata.deletionTimestamp === undefined) {
        // Its content is what tailscaled has written, whoever made it.
        if (users.length > 0) await applier.apply(acmeAccounts(settings.namespace), flight, { owns: () => true })
        return
      }
      const message = `Secret "${acmeSecret}" is being deleted, and stays while this group uses it: remove the annotation tailscale.com/share-acme-account, or set it to false.`
      for (const group of users) await tell(group, { type: 'Warning', reason: 'ACMEAccountsPendingDeletion', message })
      const cleanup = async () => users.length === 0
      const how = { resource: secrets, store, finalizer: acmeFinalizer, manager, apply: async () => {}, cleanup }
      await finalize(api, present, how, flight)
    },
    refuse: async (_key, error) => problem(key, error.message),
  })
}
