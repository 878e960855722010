import type { Api } from '../../kube/controller/api.ts'
import type { Controller } from '../../kube/controller/controller.ts'
import type { ControllerParts } from '../controller-parts.ts'
import { manager } from '../world/followed.ts'
import { identityOf } from './identity.ts'
import { ingressPods } from './pods.ts'
import { sweeper } from './sweep.ts'
import { groupUsers } from './users.ts'
import { type ServiceApi, vips } from './vips.ts'

export type GroupIngressOptions = Omit<ControllerParts, 'problem'> & {
  readonly api: Pick<Api, 'get' | 'create' | 'patch'>
  readonly tailnet: ServiceApi
  /** As that of a controller, for each of them by its name. */
  readonly told: (name: string) => (key: string, text: string | undefined) => void
}

/** All that makes Services, Ingresses and the API reachable through groups of proxies, besides the groups themselves. */
export function groupIngress({ told, tailnet, ...common }: GroupIngressOptions): readonly Controller[] {
  const identity = identityOf({ ...common, manager })
  const shared = { ...common, identity, vips: vips({ api: tailnet, identity, clock: common.clock }) }
  return [
    groupUsers({ ...shared, type: 'svc', problem: told('Service') }),
    groupUsers({ ...shared, type: 'ingress', problem: told('Ingress') }),
    groupUsers({ ...shared, type: 'proxygroup', problem: told('ProxyGroup') }),
    ingressPods({ ...shared, problem: told('Pod') }),
    sweeper({ ...shared, problem: told('Tailscale Services') }),
  ]
}
