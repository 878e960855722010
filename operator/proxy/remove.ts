import type { Api } from '../../kube/controller/api.ts'
import type { Applier } from '../../kube/controller/apply.ts'
import type { Flight } from '../../kube/controller/controller.ts'
import type { Event } from '../../kube/controller/events.ts'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import type { Clock } from '../../lib/clock.ts'
import { describe } from '../../lib/errors.ts'
import { ApiError } from '../api/error.ts'
import type { Parent } from '../objects/parent.ts'
import { pods, secrets, statefulSets } from '../objects/resources.ts'
import type { Caches } from '../world/caches.ts'
import { heldIn } from './auth-key.ts'
import { forEach } from './each.ts'
import type { Tailnet } from './keying.ts'
import { madeFor } from './owned.ts'
import { deviceIdIn } from './state.ts'

export type RemovalOptions = {
  readonly api: Pick<Api, 'get' | 'delete'>
  readonly caches: Pick<Caches, 'world' | 'store'>
  readonly prune: Applier['prune']
  readonly tailnet: Tailnet
  readonly tell: (about: KubeObject, event: Event) => Promise<void>
  readonly clock: Clock
}

/** How long the deletion of an object may wait for Tailscale's API. */
const patienceMs = 600_000

/** Takes away what was made for parents: Pods, then their devices, then the rest. All steps can be repeated. */
export function removal({ api, caches: { world, store }, prune, tailnet, tell, clock }: RemovalOptions) {
  /** Removes the device of a Secret, or its unused key; false: that failed, and the parent's deletion must not wait. */
  const release = async (secret: KubeObject, parent: KubeObject | undefined, signal: AbortSignal): Promise<void> => {
    const device = deviceIdIn(secret)
    const key = heldIn(secret)?.id
    try {
      if (device !== undefined) await tailnet.removeDevice(device, signal)
      else if (key !== undefined) await tailnet.removeKey(key, signal)
    } catch (error) {
      if (parent === undefined || !(error instanceof ApiError) || !hasWaited(parent, clock)) throw error
      const what = device === undefined ? `auth key ${key}` : `device ${device}`
      const message = `${what} is left in the tailnet, since it could not be removed: ${describe(error)}`
      await tell(parent, { type: 'Warning', reason: 'DeviceNotRemoved', message })
    }
  }

  /** Removes Secrets whose Pods are gone, each after its device. What fails does not keep the others. */
  const removeSecrets = async (
    all: readonly KubeObject[],
    parent: KubeObject | undefined,
    flight: Flight,
  ): Promise<void> => {
    await forEach(all, async ({ metadata }) => {
      // The cache may be behind, and has not all of it.
      const present = await api.get(secrets, metadata, flight.signal)
      if (present === undefined) return
      await release(present, parent, flight.signal)
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
     * Takes away everything. Gives true once nothing is left; until then, the end of each step is an event.
     * `object`: the parent, unless it is gone already.
     */
    removeAll: async (parent: Parent, object: KubeObject | undefined, flight: Flight): Promise<boolean> => {
      const sets = madeFor(world, parent, [statefulSets])
      for (const set of sets) await removeSet(set, flight)
      if (sets.length > 0 || madeFor(world, parent, [pods]).length > 0) return false
      const kept = madeFor(world, parent, [secrets])
      await removeSecrets(kept, object, flight)
      const rest = madeFor(world, parent)
      await prune(rest, [], flight)
      return kept.length === 0 && rest.length === 0
    },
  }
}

/** Whether the deletion of an object has waited for Tailscale’s API as long as it may. */
export function hasWaited({ metadata: { deletionTimestamp } }: KubeObject, clock: Clock): boolean {
  return deletionTimestamp !== undefined && clock.date().getTime() - Date.parse(deletionTimestamp) >= patienceMs
}
