import { type Controller, controller, trigger } from '../../kube/controller/controller.ts'
import type { Applier } from '../../kube/controller/apply.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import type { Clock } from '../../lib/clock.ts'
import type { TailscaleService } from '../api/api.ts'
import { typeOf } from '../group/group.ts'
import { configMaps, ingresses, proxyGroups, roleBindings, roles, secrets, services } from '../objects/resources.ts'
import { askers } from './ask.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { Caches } from '../world/caches.ts'
import type { World } from '../world/world.ts'
import type { Identity } from './identity.ts'
import { isCertificateOf } from './certificate.ts'
import { serviceNameOf } from './names.ts'
import { isElsewhere, isOwned, type Sole, soleOf } from './owners.ts'
import { recordOf } from './record.ts'
import { hasNone, type Vips } from './vips.ts'

type Options = {
  readonly caches: Caches
  readonly applier: Pick<Applier, 'prune'>
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
 * Gives up Tailscale Services of this operator that nothing in the cluster asks for, and what was made for certificates
 * of such names: what was left when an object went while no operator ran, when its finalizer was removed by hand, or
 * when it was kept for another object that went in turn.
 */
export function sweeper({ caches, applier, vips, identity, settings, clock, problem }: Options): Controller {
  const { world } = caches
  const isNeeded = (): boolean =>
    [...world.all(proxyGroups)].some((group) => ['ingress', 'kube-apiserver'].includes(typeOf(group) ?? ''))
  return controller({
    name: 'Tailscale Services without an object',
    sources: caches.sources([proxyGroups, configMaps, services, ingresses, roleBindings, roles, secrets]),
    triggers: [trigger(caches.store(proxyGroups), ({ before }) => (before === undefined ? [key] : []))],
    clock,
    problem,
    reconcile: async (_key, flight) => {
      const { signal } = flight
      await applier.prune(orphanedCertificates(world, settings), [], flight)
      if (!isNeeded()) return {}
      try {
        const all = orphans(await vips.list(signal), world, await identity(signal), settings)
        for (const { name, only } of all) {
          // Somebody may have asked for it since then.
          if (!isWanted(name, world, settings)) await vips.release(name, signal, only)
        }
      } catch (error) {
        if (!hasNone(error)) throw error
      }
      return { again: againMs }
    },
    refuse: async (_key, error) => problem(key, error.message),
  })
}

/** Whether something in the cluster asks for a Tailscale Service, or has it. */
const isWanted = (name: string, world: World, { namespace }: Pick<Options['settings'], 'namespace'>): boolean =>
  recordOf(world, name, namespace) !== undefined ||
  askers.some((resource) => world.by(resource, 'tailscaleService', name).length > 0)

/** What was made for the certificates of such names: first the right to use it. The same holds for some namespaces. */
export const orphanedCertificates = (world: World, settings: Options['settings']): readonly KubeObject[] =>
  settings.namespaces.length > 0
    ? []
    : [roleBindings, roles, secrets].flatMap((resource) =>
        [...world.all(resource)].filter((object) => {
          const { name } = object.metadata
          return isCertificateOf(name, object) && !isWanted(serviceNameOf(name.split('.')[0] ?? ''), world, settings)
        }),
      )

/**
 * This operator's Tailscale Services that nothing in the cluster asks for, or has; `only`: the object that had it alone.
 * None if it is for some namespaces only: those of Tailscale's operator may be for objects that it does not see.
 */
export function orphans(
  all: readonly TailscaleService[],
  world: World,
  identity: Identity,
  settings: Options['settings'],
): readonly { readonly name: string; readonly only: Sole | undefined }[] {
  if (settings.namespaces.length > 0) return []
  return all
    .filter(({ name }) => !isWanted(name, world, settings))
    .filter((service) => !isElsewhere(service, identity))
    .flatMap((service) => {
      const only = soleOf(service, identity)
      return only === undefined && !isOwned(service, identity) ? [] : [{ name: service.name, only }]
    })
}
