import { type Controller, controller, trigger } from '../../kube/controller/controller.ts'
import type { Clock } from '../../lib/clock.ts'
import type { TailscaleService } from '../api/api.ts'
import { typeOf } from '../group/group.ts'
import { configMaps, ingresses, proxyGroups, services } from '../objects/resources.ts'
import { askers } from './ask.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { Caches } from '../world/caches.ts'
import type { World } from '../world/world.ts'
import type { Identity } from './identity.ts'
import { isElsewhere, isOwned, type Sole, soleOf } from './owners.ts'
import { recordOf } from './record.ts'
import { hasNone, type Vips } from './vips.ts'

type Options = {
  readonly caches: Caches
  readonly vips: Vips
  readonly identity: (signal: AbortSignal) => Promise<Identity>
  readonly settings: Pick<OperatorSettings, 'namespace' | 'namespaces'>
  readonly clock: Clock
  /** As that of a controller. */
  readonly problem: (key: string, text: string | undefined) => void
}

const againMs = 900_000
const key = 'left in the tailnet'

/**
 * Gives up Tailscale Services of this operator that nothing in the cluster asks for: what was left when an object went
 * while no operator ran, or when its finalizer was removed by hand.
 */
export function sweeper({ caches, vips, identity, settings, clock, problem }: Options): Controller {
  const { world } = caches
  const isNeeded = (): boolean =>
    [...world.all(proxyGroups)].some((group) => ['ingress', 'kube-apiserver'].includes(typeOf(group) ?? ''))
  return controller({
    name: 'Tailscale Services without an object',
    sources: caches.sources([proxyGroups, configMaps, services, ingresses]),
    triggers: [trigger(caches.store(proxyGroups), ({ before }) => (before === undefined ? [key] : []))],
    clock,
    problem,
    reconcile: async (_key, { signal }) => {
      if (!isNeeded()) return {}
      try {
        for (const { name, only } of orphans(await vips.list(signal), world, await identity(signal), settings))
          await vips.release(name, signal, only)
      } catch (error) {
        if (!hasNone(error)) throw error
      }
      return { again: againMs }
    },
    refuse: async (_key, error) => problem(key, error.message),
  })
}

/**
 * This operator's Tailscale Services that nothing in the cluster asks for, or has; `only`: the object that had it alone.
 * None if it is for some namespaces only: those of Tailscale's operator may be for objects that it does not see.
 */
export function orphans(
  all: readonly TailscaleService[],
  world: World,
  identity: Identity,
  { namespace, namespaces }: Options['settings'],
): readonly { readonly name: string; readonly only: Sole | undefined }[] {
  if (namespaces.length > 0) return []
  const isAsked = (name: string): boolean =>
    askers.some((resource) => world.by(resource, 'tailscaleService', name).length > 0)
  return all
    .filter(({ name }) => !isAsked(name) && recordOf(world, name, namespace) === undefined)
    .filter((service) => !isElsewhere(service, identity))
    .flatMap((service) => {
      const only = soleOf(service, identity)
      return only === undefined && !isOwned(service, identity) ? [] : [{ name: service.name, only }]
    })
}
