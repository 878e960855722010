import type { Api } from '../../kube/controller/api.ts'
import {
  type Controller,
  controller,
  type Flight,
  isStale,
  trigger,
  UserError,
} from '../../kube/controller/controller.ts'
import { finalize } from '../../kube/controller/finalize.ts'
import { type KubeObject, nameOf } from '../../kube/controller/object.ts'
import { describe } from '../../lib/errors.ts'
import { keys as stateKeys, parseDeviceFqdn } from '../../wire/state-secret.ts'
import type { ControllerParts } from '../controller-parts.ts'
import type { Refused } from '../kind.ts'
import { findGroup, type Group } from '../group/group.ts'
import { type Parent, parentResources } from '../objects/parent.ts'
import * as resources from '../objects/resources.ts'
import { madeFor, presentFor } from '../proxy/owned.ts'
import { parentWriter } from '../proxy/report.ts'
import { textIn } from '../proxy/state.ts'
import { unseenMs } from '../world/caches.ts'
import { manager } from '../world/followed.ts'
import { type Ask, askOf, parentFor } from './ask.ts'
import { finalizerFor, formsOf, hostOf } from './names.ts'
import type { Wish } from './owners.ts'
import { provisioner } from './provide.ts'
import { recordOf } from './record.ts'
import { remover } from './remove.ts'
import { groupNotFound, reportOf } from './report.ts'
import { requestOf } from './request.ts'
import { mustHold, nameInUse } from './rivals.ts'
import { concernedBy, userConcerns, type UserType } from './user-concerns.ts'
import type { Vips } from './vips.ts'

export type UsersOptions = ControllerParts & {
  readonly api: Pick<Api, 'get' | 'create' | 'patch'>
  readonly vips: Vips
  /** What objects that ask something of groups are called in labels. */
  readonly type: UserType
}

/**
 * Gives Services or Ingresses that ask for it a Tailscale Service which the replicas of a group host: makes it the
 * operator's own, provides for its certificate, says how it stands, and takes all of it away again. What the replicas
 * serve and advertise follows from what this leaves in the cluster, and is written by the controller of groups.
 */
export function groupUsers(options: UsersOptions): Controller {
  const { api, caches, applier, tell, settings, type, clock, problem } = options
  const { world } = caches
  const resource = parentResources[type]
  const store = caches.store(resource)
  const writer = parentWriter({ api, resource, store, apply: applier.apply, clock })
  const removing = remover(options)
  const provide = provisioner({ ...options, removing })

  const report = async (object: KubeObject, refused: Refused | undefined, flight: Flight): Promise<void> => {
    // The status of a group is written by the controller of groups.
    if (object.kind === 'ProxyGroup') {
      if (refused !== undefined)
        await tell(object, { type: 'Warning', reason: refused.reason, message: refused.message })
      return
    }
    const { status, conditions, events } = reportOf(object, refused, world, settings)
    await writer.status(object, status, conditions, flight)
    for (const event of events) await tell(object, event)
  }

  const finalized = (
    object: KubeObject,
    finalizer: string,
    more: Partial<Parameters<typeof finalize>[2]>,
    flight: Flight,
  ) =>
    finalize(
      api,
      object,
      { resource, store, finalizer, manager, apply: async () => {}, cleanup: async () => true, ...more },
      flight,
    )

  /** The object asks for nothing of this kind, or not any more. */
  const released = async (object: KubeObject | undefined, parent: Parent, flight: Flight) => {
    const { left, again } = await removing.all(object, parent, flight)
    const [form] = object === undefined ? [] : formsOf(object)
    if (left || object === undefined || form === undefined) return again === undefined ? {} : { again }
    if (object.metadata.deletionTimestamp === undefined && object.kind !== 'ProxyGroup')
      await writer.status(object, {}, [], flight)
    return finalized(object, form, { isReleased: true }, flight)
  }

  const provided = async (object: KubeObject, ask: Ask, wish: Wish, group: Group, flight: Flight) => {
    try {
      const { refused, again } = await provide(ask, wish, group, flight)
      await report(object, refused, flight)
      return { again }
    } catch (error) {
      if (error instanceof UserError || isStale(error) || flight.signal.aborted) throw error
      await report(object, { as: 'failed', reason: 'ProxyFailed', message: describe(error) }, flight)
      throw error
    }
  }

  return controller({
    name: `${resource.plural} of groups`,
    sources: caches.sources([
      resource,
      ...userConcerns(type).map((one) => one.resource),
      resources.pods,
      resources.secrets,
      resources.configMaps,
      resources.proxyGroups,
      resources.endpointSlices,
    ]),
    triggers: [
      trigger(store, ({ key }) => [key]),
      ...userConcerns(type).map(({ resource: other, keys }) =>
        trigger(caches.store(other), ({ before, after }) =>
          [before, after].flatMap((one) => (one === undefined ? [] : [...keys(one, world)])),
        ),
      ),
      ...[resources.secrets, resources.pods].map((other) =>
        trigger(caches.store(other), (change) => concernedBy(type, change, world)),
      ),
    ],
    concurrency: settings.concurrency,
    clock,
    problem,
    reconcile: async (key, flight) => {
      if (!world.follows(key)) return { again: unseenMs }
      const object = store.get(key)
      const { namespace = '', name } = nameOf(key)
      const parent = object === undefined ? { type, namespace, name } : parentFor(object)
      // Labels of what was made for it have a long name cut, and its own key has its turn.
      if (object === undefined && presentFor(world, parent) !== undefined) return {}
      const ask = object && askOf(object, settings)
      if (object === undefined || ask === undefined) return released(object, parent, flight)
      // What is wrong with the group itself is told by its own controller.
      if (object.kind === 'ProxyGroup' && 'missing' in findGroup(world, ask.group, settings)) return {}
      const { wish, events } = requestOf(object, world, settings)
      const group = groupFor(ask)
      mustHold(ask, world, settings)
      mustBeFree(ask)
      for (const event of events) await tell(object, event)
      const apply = (present: KubeObject) => provided(present, { ...ask, object: present }, wish, group, flight)
      return finalized(object, finalizerFor(object), { apply }, flight)
    },
    refuse: async (key, error, flight) => {
      const object = store.get(key)
      if (object === undefined) return
      const as = pending.has(error.reason) ? 'pending' : 'invalid'
      await report(object, { as, reason: error.reason, message: describe(error) }, flight)
    },
  })

  /** @throws UserError if it is not possible, or not now */
  function groupFor(ask: Ask): Group {
    const group = findGroup(world, ask.group, settings)
    if ('missing' in group) throw new UserError(groupNotFound, group.missing)
    if (group.type !== 'ingress' && ask.parent.type !== 'proxygroup')
      throw new UserError(
        wrongType,
        `ProxyGroup "${group.name}" has the type ${group.type}, and what the tailnet is to reach needs one of the type ingress`,
      )
    return group
  }

  /** @throws UserError if proxies of its own, which it does not ask for any more, have the name until they are gone */
  function mustBeFree({ parent, service }: Ask): void {
    if (parent.type === 'proxygroup') return
    const host = hostOf(service)
    const isHeld = madeFor(world, parent, [resources.secrets]).some(
      (secret) => parseDeviceFqdn(textIn(secret, stateKeys.deviceFqdn) ?? '')?.startsWith(`${host}.`) === true,
    )
    if (!isHeld || recordOf(world, service, settings.namespace) !== undefined) return
    throw new UserError(nameInUse, `the proxy that it had of its own is called ${host} until it is gone`)
  }
}

const wrongType = 'ProxyGroupInvalid'

/** Reasons of what passes without a change of the object. */
const pending: ReadonlySet<string> = new Set([groupNotFound, nameInUse])
