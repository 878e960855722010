import type { Api } from '../../kube/controller/api.ts'
import { type Controller, controller, type Flight, trigger } from '../../kube/controller/controller.ts'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import { describe } from '../../lib/errors.ts'
import type { ControllerParts } from '../controller-parts.ts'
import type { Refused } from '../kind.ts'
import { parentOf } from '../objects/parent.ts'
import { customResourceDefinitions, namespaces, proxyClasses, statefulSets } from '../objects/resources.ts'
import { withoutAuthAccount } from '../proxy/account.ts'
import { adopting } from '../proxy/adopt.ts'
import type { ResolveClass } from '../proxy/class.ts'
import { soonest } from '../proxy/each.ts'
import { explained } from '../proxy/explained.ts'
import type { Tailnet } from '../proxy/keying.ts'
import { unlessTaken } from '../proxy/owned.ts'
import { provisioner } from '../proxy/provision.ts'
import { removal } from '../proxy/remove.ts'
import type { ProxyRequest } from '../proxy/request.ts'
import { childResources } from '../proxy/triggers.ts'
import { formerState } from './former-state.ts'
import { apiProxyName, apiProxyParent, apiProxyRequest } from './request.ts'
import { telling } from './told.ts'

export type ApiProxyOptions = ControllerParts & {
  readonly api: Pick<Api, 'page' | 'get' | 'patch' | 'delete'>
  readonly tailnet: Tailnet
  readonly resolveClass: ResolveClass
}

/**
 * Brings the proxy of the API server into being that the operator's settings ask for, and takes it away when they ask
 * for none. No object of the cluster asks for it, so that it has no status: what is wrong is an Event of its
 * StatefulSet, and a line of the log.
 */
export function apiProxy(options: ApiProxyOptions): Controller {
  const { api, caches, applier, settings, clock, problem } = options
  const { world, store } = caches
  const parent = apiProxyParent(settings)
  // Its Pods are found by this UID, whatever becomes of the StatefulSet.
  const metadata = { namespace: settings.namespace, name: apiProxyName, uid: apiProxyName }
  const object: KubeObject = { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata }
  const key = keyOf(metadata)
  // `kubectl describe` shows what is told of the UID that the API knows.
  const tell: typeof options.tell = (_about, event) => {
    const { uid: _uid, ...unseen } = metadata
    return options.tell(world.get(statefulSets, key) ?? { ...object, metadata: unseen }, event)
  }
  const { removeAll, ...removing } = removal({ ...options, tell, prune: applier.prune })
  const apply = adopting(api, caches, applier.apply)
  const provision = provisioner({ ...options, tell, prune: applier.prune, apply, world, ...removing })
  const goesOn = formerState({ ...options, world })

  const toTell = telling(clock)
  let logged: string | undefined
  /** What is not thrown is logged here. Gives milliseconds after which there is more to tell. */
  const report = async (refused: Refused | undefined): Promise<number | undefined> => {
    const { event, again } = toTell(refused)
    if (event !== undefined) await tell(object, event)
    if (event?.message !== logged) problem(key, event?.message)
    logged = event?.message
    return again
  }

  const bring = async (request: ProxyRequest, flight: Flight): Promise<Outcome> => {
    const { namespace } = settings
    const missing =
      request.account !== undefined &&
      (await withoutAuthAccount({ api, namespace, reason: invalid, remedy: accountRemedy }, flight.signal))
    if (missing) return missing
    const former = await goesOn(parent, `${apiProxyName}-0`, flight.signal)
    if (former === 'copied') return {}
    if (former !== 'none') return former
    return provision(object, parent, plan, request, flight).catch(unlessTaken)
  }

  return controller({
    name: 'API server proxy',
    sources: caches.sources([...childResources, proxyClasses, namespaces, customResourceDefinitions]),
    triggers: [
      ...childResources.map((child) =>
        trigger(store(child), ({ before, after }) => ([before, after].some(isPart) ? [key] : [])),
      ),
      trigger(store(proxyClasses), ({ key: name }) => (name === settings.defaultProxyClass ? [key] : [])),
      // The operator's own is always there, so that this begins.
      trigger(store(namespaces), () => [key]),
    ],
    clock,
    problem,
    reconcile: async (_key, flight) => {
      const request = apiProxyRequest(settings)
      if (request === undefined) return void (await removeAll(parent, undefined, flight))
      const failed = ({ reason, message }: Refused) => tell(object, { type: 'Warning', reason, message })
      const { refused, again } = await explained(() => bring(request, flight), 'ProxyFailed', failed, flight.signal)
      const next = soonest([again, await report(refused)])
      return next === undefined ? {} : { again: next }
    },
    refuse: async (_key, error) => {
      await report({ as: 'failed', reason: error.reason, message: describe(error) })
    },
  })
}

type Outcome = { readonly refused?: Refused | undefined; readonly again?: number | undefined }

/** Nothing else than the proxy itself. */
const plan = { proxies: undefined, objects: [], events: [] } as const

const isPart = (object: KubeObject | undefined): boolean =>
  object !== undefined && parentOf(object.metadata)?.type === 'apiserver'

const invalid = 'ServiceAccountMissing'
const accountRemedy = 'Install the chart with apiServerProxyConfig.mode: "true", or set APISERVER_PROXY to noauth.'
