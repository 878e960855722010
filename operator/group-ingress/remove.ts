import type { Applier } from '../../kube/controller/apply.ts'
import type { Flight } from '../../kube/controller/controller.ts'
import type { Event } from '../../kube/controller/events.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import type { Clock } from '../../lib/clock.ts'
import { describe } from '../../lib/errors.ts'
import { ApiError } from '../api/error.ts'
import { deletionPatience } from '../proxy/patience.ts'
import { type Parent, parentResources, parentValue } from '../objects/parent.ts'
import { configMaps, proxyGroups, roleBindings, roles, secrets } from '../objects/resources.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { Caches } from '../world/caches.ts'
import { type Ask, asksFor, holderOf, isSameParent, serviceFor } from './ask.ts'
import { departures } from './departures.ts'
import { formsOf, serviceNameOf } from './names.ts'
import { hostsIn, recordKey, recordsFor, type ServiceRecord } from './record.ts'
import { isHostedBy } from './replicas.ts'
import { hasNone, type Vips } from './vips.ts'

type Options = {
  readonly caches: Pick<Caches, 'world'>
  readonly applier: Pick<Applier, 'prune'>
  readonly tell: (about: KubeObject, event: Event) => Promise<void>
  readonly vips: Vips
  readonly settings: OperatorSettings
  readonly clock: Clock
}

/** Whether something is left, and in how many milliseconds to go on if no event comes before. */
export type Removal = { readonly left: boolean; readonly again?: number }

const gone: Removal = { left: false }

/** Whether objects of a type have their Tailscale Services alone, so that nobody takes them over. */
const isAlone = (type: Parent['type']): boolean => type === 'proxygroup'

export type Remover = ReturnType<typeof remover>

/**
 * Takes away what was made for objects: first replicas cease to advertise, then the Tailscale Service goes, if no other
 * cluster has it; then what replicas served, and its certificate. All steps can be repeated, and need neither the group
 * nor the object.
 */
export function remover({ caches: { world }, applier: { prune }, tell, vips, settings, clock }: Options) {
  const { namespace } = settings
  const departing = departures(clock)
  /** Of those that are about to go, whether other clusters have them, too. */
  const shared = new Map<string, boolean>()
  const hasWaited = deletionPatience(clock)

  const forget = (service: string): void => {
    departing(service, [], () => false)
    shared.delete(service)
  }

  /** How long to wait until replicas need not serve a Tailscale Service any more; 0: no more. */
  const withdrawal = async (record: ServiceRecord, signal: AbortSignal): Promise<number> => {
    const { service } = record
    const hosts = hostsIn(record).filter((name) => world.get(proxyGroups, name) !== undefined)
    // Without another cluster, clients have nowhere else to go.
    const isShared = shared.get(service) ?? (await vips.isShared(service, signal))
    shared.set(service, isShared)
    const isHost = (name: string): boolean => isHostedBy(world, namespace, name, service, isShared)
    return Math.max(0, ...departing(service, hosts, isHost, isShared ? undefined : 0).values())
  }

  const giveUp = async (
    service: string,
    { type, name }: Parent,
    object: KubeObject | undefined,
    signal: AbortSignal,
  ): Promise<void> => {
    try {
      await vips.release(service, signal, isAlone(type) ? { kind: parentResources[type].kind, name } : undefined)
    } catch (error) {
      if (hasNone(error)) return
      if (object === undefined || !(error instanceof ApiError) || !hasWaited(object)) throw error
      const message = `${service} is left in the tailnet, since it could not be removed: ${describe(error)}`
      await tell(object, { type: 'Warning', reason: 'ServiceNotRemoved', message })
    }
  }

  /** Who is to have a Tailscale Service next: it finds it as it is, with its addresses, and a site its certificate. */
  const heir = (service: string, parent: Parent): Ask | undefined =>
    asksFor(world, service, settings).find(
      (ask) => !isSameParent(ask.parent, parent) && ![ask.parent, parent].some(({ type }) => isAlone(type)),
    )

  /** What was made for the certificates of a parent's sites and nobody else needs, of those with such names. */
  const certificates = (parent: Parent, isIt: (name: string) => boolean): readonly KubeObject[] =>
    [roleBindings, roles, secrets].flatMap((resource) =>
      world.by(resource, 'parentInGroup', parentValue(parent)).filter(({ metadata: { name } }) => {
        const [host = ''] = name.split('.')
        return isIt(name) && heir(serviceNameOf(host), parent)?.parent.type !== 'ingress'
      }),
    )

  /** Takes away one Tailscale Service. `object`: its parent, unless that is gone. */
  const one = async (record: ServiceRecord, object: KubeObject | undefined, flight: Flight): Promise<Removal> => {
    const { service, parent, fqdn } = record
    const wait = await withdrawal(record, flight.signal)
    if (wait > 0) return { left: true, again: wait }
    if (heir(service, parent) === undefined) await giveUp(service, parent, object, flight.signal)
    forget(service)
    const kept = world.get(configMaps, recordKey(service, namespace))
    const certificate = certificates(parent, (name) => name === fqdn)
    await prune([...certificate, ...(kept === undefined ? [] : [kept])], [], flight)
    return { left: true }
  }

  return {
    one,
    /** Forgets that one was about to go, since its object asks for it. */
    stays: forget,
    /** Takes away what is there of a parent's certificates but for those with these names. */
    certificates: (parent: Parent, names: readonly string[], flight: Flight): Promise<number> =>
      prune(
        certificates(parent, (name) => !names.includes(name)),
        [],
        flight,
      ),
    /** Takes away everything. `object`: the parent, unless it is gone already. */
    all: async (object: KubeObject | undefined, parent: Parent, flight: Flight): Promise<Removal> => {
      const records = recordsFor(world, parent)
      const waits: number[] = []
      for (const record of records) {
        const { again } = await one(record, object, flight)
        if (again !== undefined) waits.push(again)
      }
      if (records.length > 0) return { left: true, ...(waits.length > 0 && { again: Math.min(...waits) }) }
      const left = certificates(parent, () => true)
      if (left.length > 0) {
        await prune(left, [], flight)
        return { left: true }
      }
      // Another operator has made it, and has kept nothing that would tell so.
      if (object !== undefined && formsOf(object).length > 0) {
        const service = serviceFor(object)
        if (holderOf(world, service, settings) === undefined) await giveUp(service, parent, object, flight.signal)
      }
      return gone
    },
  }
}
