import type { Api } from '../../kube/controller/api.ts'
import type { Applier } from '../../kube/controller/apply.ts'
import type { Controller } from '../../kube/controller/controller.ts'
import type { Event } from '../../kube/controller/events.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import type { Clock } from '../../lib/clock.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { Caches } from '../world/caches.ts'
import { manager } from '../world/followed.ts'
import { identityOf } from './identity.ts'
import { ingressPods } from './pods.ts'
import { sweeper } from './sweep.ts'
import { groupUsers } from './users.ts'
import { type ServiceApi, vips } from './vips.ts'

export type GroupIngressOptions = {
  readonly api: Pick<Api, 'get' | 'create' | 'patch'>
  readonly caches: Caches
  readonly applier: Applier
  readonly tell: (about: KubeObject, event: Event) => Promise<void>
  readonly tailnet: ServiceApi
  readonly settings: OperatorSettings
  readonly clock: Clock
  /** As that of a controller, for each of them by its name. */
  readonly told: (name: string) => (key: string, text: string | undefined) => void
}

/** All that makes Services and Ingresses reachable through groups of proxies, besides the groups themselves. */
export function groupIngress({ told, tailnet, ...common }: GroupIngressOptions): readonly Controller[] {
  const identity = identityOf({ ...common, manager })
  const shared = { ...common, identity, vips: vips({ api: tailnet, identity, clock: common.clock }) }
  return [
    groupUsers({ ...shared, type: 'svc', problem: told('Service') }),
    groupUsers({ ...shared, type: 'ingress', problem: told('Ingress') }),
    ingressPods({ ...shared, problem: told('Pod') }),
    sweeper({ ...shared, problem: told('Tailscale Services') }),
  ]
}
