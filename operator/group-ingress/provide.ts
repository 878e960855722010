import type { Api } from '../../kube/controller/api.ts'
import { KubeError } from '../../kube/error.ts'
import type { Applier } from '../../kube/controller/apply.ts'
import { type Flight, UserError } from '../../kube/controller/controller.ts'
import type { Event } from '../../kube/controller/events.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { ApiError } from '../api/error.ts'
import type { Group } from '../group/group.ts'
import type { GroupView } from '../group/use.ts'
import type { Refused } from '../kind.ts'
import { proxyGroups, roleBindings, secrets } from '../objects/resources.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { Caches } from '../world/caches.ts'
import { type Ask, isSameParent } from './ask.ts'
import { certificateRights, certificateSecret, emptySecret, isCertificateOf, usersOf } from './certificate.ts'
import { hostOf } from './names.ts'
import type { Wish } from './owners.ts'
import { readRecord, recordObject, recordOf, recordsFor, type ServiceRecord } from './record.ts'
import type { Remover } from './remove.ts'
import { domainOf, isHostedBy, replicasOf } from './replicas.ts'
import { serves } from './standing.ts'
import { hasNone, told, type Vips } from './vips.ts'

type Options = {
  readonly api: Pick<Api, 'create'>
  readonly caches: Pick<Caches, 'world' | 'store'>
  readonly applier: Applier
  readonly tell: (about: KubeObject, event: Event) => Promise<void>
  readonly vips: Vips
  readonly settings: OperatorSettings
  readonly removing: Remover
}

/** Why the object does not have what it asks for, and in how many milliseconds to look again. */
export type Provided = { readonly refused?: Refused; readonly again: number }

/** While Tailscale's API is away, and when it has no Services at all. */
const awayMs = 60_000
const neverMs = 600_000

/**
 * Gives what makes a Tailscale Service the operator's own for an object, and keeps what is known of it in the cluster:
 * from that follows what replicas do.
 */
export function provisioner({ api, caches, applier, tell, vips, settings, removing }: Options) {
  const { world, store } = caches
  const { namespace } = settings
  const { apply } = applier

  /** What is known of a Tailscale Service, and of the group that hosts it, now. */
  const recordFor = (
    ask: Ask,
    view: GroupView,
    addresses: readonly string[],
    before: ServiceRecord | undefined,
  ): ServiceRecord => {
    const { service, parent } = ask
    const { name } = view.group
    const domain = domainOf(view)
    // A group that hosted it goes on until this one does.
    const isServed = replicasOf(view).some((replica) => serves(replica, { service }))
    const earlier = before === undefined || isServed ? [] : [before.group, ...before.former]
    const former = [...new Set(earlier)].filter((one) => one !== name && world.get(proxyGroups, one) !== undefined)
    const fqdn = domain === undefined ? before?.fqdn : `${hostOf(service)}.${domain}`
    return { service, parent, group: name, former, addresses, fqdn, refused: undefined }
  }

  const certify = async (record: ServiceRecord, flight: Flight): Promise<void> => {
    const { fqdn, parent, service, group, former } = record
    if (parent.type !== 'ingress' || fqdn === undefined) return
    // A replica that may not read the certificate any more would request another one.
    const users = usersOf(world.get(roleBindings, `${namespace}/${fqdn}`))
    const others = [...former, ...users.filter((name) => isHostedBy(world, namespace, name, service))]
    const groups = [group, ...new Set(others.filter((name) => name !== group))] as const
    const certificate = { fqdn, parent, groups, namespace }
    const owns = (present: KubeObject): boolean => isCertificateOf(fqdn, present)
    const key = `${namespace}/${fqdn}`
    if (world.get(secrets, key) === undefined) {
      const write = store(secrets).writing(key)
      try {
        const made = await api.create(secrets, emptySecret(certificate), flight.signal)
        flight.wrote(write.done(made.metadata.resourceVersion))
      } catch (error) {
        write.failed()
        // It is there; whether it is one of these is seen next.
        if (!(error instanceof KubeError && error.reason === 'AlreadyExists')) throw error
      }
    }
    await apply(certificateSecret(certificate), flight, { owns })
    for (const one of certificateRights(certificate)) await apply(one, flight, { owns })
  }

  const keep = (record: ServiceRecord, flight: Flight) =>
    apply(recordObject(record, namespace), flight, {
      owns: (present) => {
        const other = readRecord(present)
        return other !== undefined && isSameParent(other.parent, record.parent)
      },
    })

  /** Takes away what the object had under other names, once it has this one. */
  const tidy = async ({ object, parent }: Ask, record: ServiceRecord, flight: Flight): Promise<number | undefined> => {
    const waits: number[] = []
    const others = recordsFor(world, parent).filter(({ service }) => service !== record.service)
    for (const other of others) {
      const { again } = await removing.one(other, object, flight)
      if (again !== undefined) waits.push(again)
    }
    const names = [record, ...others].flatMap(({ fqdn }) => fqdn ?? [])
    await removing.certificates(parent, names, flight)
    return waits.length === 0 ? undefined : Math.min(...waits)
  }

  return async (ask: Ask, wish: Wish, group: Group, flight: Flight): Promise<Provided> => {
    const before = recordOf(world, ask.service, namespace)
    const claimed = await vips.claim(wish, flight.signal).catch((error: unknown) => {
      if (!(error instanceof ApiError) || flight.signal.aborted) throw error
      // What is there goes on without Tailscale's API.
      if (before !== undefined) return undefined
      if (hasNone(error)) return { refused: told(error), again: neverMs }
      throw error
    })
    if (claimed !== undefined && 'refused' in claimed) {
      const { refused: message, again } = claimed
      if (before !== undefined) await keep({ ...before, refused: message }, flight)
      return { refused: { as: 'invalid', reason: 'InvalidTailscaleService', message }, again }
    }
    const again = claimed?.again ?? awayMs
    const addresses = claimed?.service.addrs ?? before?.addresses ?? []
    const record = recordFor(ask, { group, world, settings }, addresses, before)
    try {
      await certify(record, flight)
      await keep(record, flight)
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      return { refused: { as: 'failed', reason: error.reason, message: error.message }, again: awayMs }
    }
    if (claimed !== undefined && claimed.differs.length > 0) {
      const differences = claimed.differs.join('; ')
      const message = `${wish.name} is shared with other clusters, of which the first one has the say: ${differences}`
      await tell(ask.object, { type: 'Warning', reason: 'ServiceDiffers', message })
    }
    const wait = before === undefined ? undefined : await tidy(ask, record, flight)
    return { again: Math.min(again, wait ?? again) }
  }
}
