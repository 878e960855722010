import type { Api } from '../../kube/controller/api.ts'
import type { Applier } from '../../kube/controller/apply.ts'
import type { Flight } from '../../kube/controller/controller.ts'
import type { Event } from '../../kube/controller/events.ts'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import type { Clock } from '../../lib/clock.ts'
import { describe } from '../../lib/errors.ts'
import { ApiError } from '../api/error.ts'
import type { Parent } from '../objects/parent.ts'
import { pods, roleBindings, roles, secrets, serviceAccounts, statefulSets } from '../objects/resources.ts'
import type { Caches } from '../world/caches.ts'
import { heldIn, keyDescriptionFor } from './auth-key.ts'
import { forEach } from './each.ts'
import { madeFor } from './owned.ts'
import { deletionPatience } from './patience.ts'
import { type RelabelOptions, relabels } from './relabel.ts'
import { type ReleaseOptions, releasing } from './release.ts'
import { deviceIdIn } from './state.ts'

export type RemovalOptions = ReleaseOptions & {
  readonly api: Pick<Api, 'get' | 'delete'> & RelabelOptions['api']
  readonly caches: Pick<Caches, 'world' | 'store'>
  readonly prune: Applier['prune']
  readonly clock: Clock
  readonly settings: RelabelOptions['settings']
}

/** Whose Secrets are removed; `object` is undefined if it is gone already. */
export type Owner = { readonly parent: Parent; readonly object: KubeObject | undefined }

/** The StatefulSet comes last: once it is ours, nothing is looked for any more. */
const taken = [secrets, serviceAccounts, roles, roleBindings, statefulSets]

/** Takes away what was made for parents: Pods, then their devices, then the rest. All steps can be repeated. */
export function removal(options: RemovalOptions) {
  const {
    api,
    caches: { world, store },
    prune,
    tell,
  } = options
  const hasWaited = deletionPatience(options.clock)
  const { device: removeDevice, key: removeKey } = releasing(options)
  const relabel = relabels(options)

  /** Removes the device of a Secret, or its unused key. A failure is only told once the deletion has waited long enough. */
  const release = async (secret: KubeObject, { parent, object }: Owner, signal: AbortSignal): Promise<void> => {
    const device = deviceIdIn(secret)
    const key = heldIn(secret)?.id
    try {
      if (device !== undefined) await removeDevice(device, { secret, object }, signal)
      else if (key !== undefined) await removeKey(key, keyDescriptionFor(parent), { secret, object }, signal)
    } catch (error) {
      if (object === undefined || !(error instanceof ApiError) || !hasWaited(object)) throw error
      const what = device === undefined ? `auth key ${key}` : `device ${device}`
      const message = `${what} is left in the tailnet, since it could not be removed: ${describe(error)}`
      await tell(object, { type: 'Warning', reason: 'DeviceNotRemoved', message })
    }
  }

  /** Removes Secrets whose Pods are gone, each after its device. What fails does not keep the others. */
  const removeSecrets = async (all: readonly KubeObject[], owner: Owner, flight: Flight): Promise<void> => {
    await forEach(all, async ({ metadata }) => {
      // The cache may be behind, and has not all of it.
      const present = await api.get(secrets, metadata, flight.signal)
      if (present === undefined) return
      await release(present, owner, flight.signal)
      await prune([present], [], flight)
    })
  }

  /** Removes a StatefulSet, after its Pods. */
  const removeSet = async ({ metadata }: KubeObject, flight: Flight): Promise<void> => {
    if (metadata.deletionTimestamp !== undefined) return
    const write = store(statefulSets).writing(keyOf(metadata))
    try {
      const target = { name: metadata.name, namespace: metadata.namespace, uid: metadata.uid ?? '' }
      const left = await api.delete(statefulSets, target, { propagation: 'Foreground' }, flight.signal)
      flight.wrote(write.done(left?.metadata.resourceVersion))
    } catch (error) {
      write.failed()
      throw error
    }
  }

  return {
    removeSecrets,
    removeSet,
    /**
     * Makes ours what Tailscale's operator has made under other labels, and gives whether there was something. Its
     * StatefulSet goes, after its Pods, since the selector cannot be changed; `warning` is told then.
     */
    takeOver: async (
      object: KubeObject,
      parent: Parent,
      warning: Event | undefined,
      flight: Flight,
    ): Promise<boolean> => {
      const found = await relabel(parent, flight, taken)
      for (const set of found.filter(({ kind }) => kind === statefulSets.kind)) {
        if (warning !== undefined) await tell(object, warning)
        await removeSet(set, flight)
      }
      return found.length > 0
    },
    /**
     * Takes away everything. Gives true once nothing is left; until then, the end of each step is an event.
     * `object`: the parent, unless it is gone already.
     */
    removeAll: async (parent: Parent, object: KubeObject | undefined, flight: Flight): Promise<boolean> => {
      const sets = madeFor(world, parent, [statefulSets])
      for (const set of sets) await removeSet(set, flight)
      if (sets.length > 0 || madeFor(world, parent, [pods]).length > 0) return false
      const kept = madeFor(world, parent, [secrets])
      await removeSecrets(kept, { parent, object }, flight)
      const rest = madeFor(world, parent)
      await prune(rest, [], flight)
      if (kept.length > 0 || rest.length > 0) return false
      return object === undefined || (await relabel(parent, flight)).length === 0
    },
  }
}
