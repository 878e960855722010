import type { Api } from '../../kube/controller/api.ts'
import { KubeError } from '../../kube/error.ts'
import type { Applier } from '../../kube/controller/apply.ts'
import { type Flight, UserError } from '../../kube/controller/controller.ts'
import type { Event } from '../../kube/controller/events.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import type { Clock } from '../../lib/clock.ts'
import { describe } from '../../lib/errors.ts'
import { ApiError } from '../api/error.ts'
import { accountOf, type Group } from '../group/group.ts'
import type { Refused } from '../kind.ts'
import { roleBindings, secrets } from '../objects/resources.ts'
import { soonest } from '../proxy/each.ts'
import type { GroupView } from '../group/use.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { Caches } from '../world/caches.ts'
import { type Ask, isSameParent } from './ask.ts'
import { certificateRights, certificateSecret, emptySecret, isCertificateOf, usersOf } from './certificate.ts'
import { arrivals, isServedBy, mover } from './move.ts'
import { hostOf } from './names.ts'
import type { Wish } from './owners.ts'
import {
  givenUp,
  hostsIn,
  isGivenUp,
  readRecord,
  recordObject,
  recordOf,
  recordsFor,
  type ServiceRecord,
} from './record.ts'
import type { Remover } from './remove.ts'
import { domainOf, isHostedBy } from './replicas.ts'
import { useFor } from './uses-of.ts'
import { hasNone, told, type Vips } from './vips.ts'

type Options = {
  readonly api: Pick<Api, 'create'>
  readonly caches: Pick<Caches, 'world' | 'store'>
  readonly applier: Applier
  readonly tell: (about: KubeObject, event: Event) => Promise<void>
  readonly vips: Vips
  readonly settings: OperatorSettings
  readonly clock: Clock
  readonly removing: Remover
}

/** Why the object does not have what it asks for, and in how many milliseconds to look again. */
export type Provided = { readonly refused?: Refused; readonly again: number }

/** While Tailscale's API is away, and when it has no Services at all. */
const awayMs = 60_000
const neverMs = 600_000

/** What is kept of one that could not be had: a group says in its status why, which follows from the record alone. */
const unclaimed = ({ service, parent, group }: Ask): ServiceRecord | undefined =>
  parent.type !== 'proxygroup'
    ? undefined
    : { service, parent, group, former: [], leaving: [], addresses: [], fqdn: undefined, refused: undefined }

/**
 * Gives what makes a Tailscale Service the operator's own for an object, and keeps what is known of it in the cluster:
 * from that follows what replicas do.
 */
export function provisioner({ api, caches, applier, tell, vips, settings, clock, removing }: Options) {
  const { world, store } = caches
  const { namespace } = settings
  const { apply } = applier
  const move = mover(clock)
  const arriving = arrivals(clock)

  const certify = async (record: ServiceRecord, group: Group, flight: Flight): Promise<void> => {
    const { fqdn, parent, service } = record
    if (parent.type === 'svc' || fqdn === undefined) return
    // A replica that may not read the certificate any more would request another one.
    const users = usersOf(world.get(roleBindings, `${namespace}/${fqdn}`))
    const others = [...hostsIn(record), ...users.filter((name) => isHostedBy(world, namespace, name, service))]
    const accounts = [record.group, accountOf(group), ...others]
    const certificate = { fqdn, parent, group: record.group, accounts, namespace }
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

  /** Whether clients reach the object by a name that it had before this change, with all that it is to have. */
  const works = (view: GroupView, before: ServiceRecord): boolean => {
    const { lack, partly } = useFor(view, before) ?? {}
    const isHere = before.group === view.group.name && !isGivenUp(before)
    return isHere && lack === undefined && partly === undefined && isServedBy(view, before.service)
  }

  /** Takes away an earlier name. If Tailscale's API fails, that is tried again, and nothing else waits for it. */
  const leave = async (other: ServiceRecord, object: KubeObject, flight: Flight) => {
    try {
      return (await removing.one(other, object, flight)).again
    } catch (error) {
      if (!(error instanceof ApiError) || flight.signal.aborted) throw error
      const message = `${other.service}, which it had before, could not be removed, which is tried again: ${describe(error)}`
      if (!error.retryable) await tell(object, { type: 'Warning', reason: 'ServiceNotRemoved', message })
      return awayMs
    }
  }

  /**
   * Takes away what the object had under other names, once this one works: first all replicas withdraw it. It is kept
   * in the cluster that they are to, so that nothing that happens to this name later brings the others back.
   */
  const tidy = async (object: KubeObject, record: ServiceRecord, isWorking: () => boolean, flight: Flight) => {
    const { parent, service } = record
    const others = recordsFor(world, parent).filter((one) => one.service !== service)
    const arrives = arriving(service, others.length > 0 && isWorking())
    const waits = [arrives === 0 ? undefined : arrives]
    for (const other of others) {
      if (isGivenUp(other)) waits.push(await leave(other, object, flight))
      else if (arrives === 0) await keep(givenUp(other), flight)
    }
    const names = [record, ...others].flatMap(({ fqdn }) => fqdn ?? [])
    await removing.certificates(parent, names, flight)
    return soonest(waits)
  }

  return async (ask: Ask, wish: Wish, group: Group, flight: Flight): Promise<Provided> => {
    const { service } = ask
    const before = recordOf(world, service, namespace)
    let failed: Refused | undefined
    const claimed = await vips.claim(wish, flight.signal).catch((error: unknown) => {
      if (!(error instanceof ApiError) || flight.signal.aborted) throw error
      // What is there goes on without Tailscale's API, and so does a refusal.
      if (before?.refused !== undefined) return { refused: before.refused, again: awayMs }
      if (before !== undefined) {
        if (!error.retryable) failed = { as: 'failed', reason: 'ProxyFailed', message: told(error, ask.parent) }
        return undefined
      }
      if (hasNone(error)) return { refused: told(error, ask.parent), again: neverMs }
      throw error
    })
    if (claimed !== undefined && 'refused' in claimed) {
      const { refused: message, again } = claimed
      const known = before ?? unclaimed(ask)
      if (known !== undefined) await keep({ ...known, refused: message }, flight)
      return { refused: { as: 'invalid', reason: 'InvalidTailscaleService', message }, again }
    }
    const again = claimed?.again ?? awayMs
    const addresses = claimed?.service.addrs ?? before?.addresses ?? []
    const view = { group, world, settings }
    const { hosts, again: movesOn } = move(view, service, before)
    const domain = domainOf(view)
    const fqdn = domain === undefined ? before?.fqdn : `${hostOf(service)}.${domain}`
    const record = { service, parent: ask.parent, ...hosts, addresses, fqdn, refused: undefined }
    try {
      await certify(record, group, flight)
      await keep(record, flight)
      removing.stays(service)
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      return { refused: { as: 'failed', reason: error.reason, message: error.message }, again: awayMs }
    }
    if (claimed !== undefined && claimed.differs.length > 0) {
      const differences = claimed.differs.join('; ')
      const message = `${wish.name} is shared with other clusters, of which the first one has the say: ${differences}`
      await tell(ask.object, { type: 'Warning', reason: 'ServiceDiffers', message })
    }
    const wait = before === undefined ? undefined : await tidy(ask.object, record, () => works(view, before), flight)
    return { again: soonest([again, wait, movesOn]) ?? again, ...(failed !== undefined && { refused: failed }) }
  }
}
