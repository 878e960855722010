import type { KubeObject } from '../../kube/controller/object.ts'
import type { Resource } from '../../kube/controller/resource.ts'
import type { Condition } from '../objects/conditions.ts'
import type { ProxyClass } from '../proxy/class.ts'
import type { Variable } from '../proxy/request.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { World } from '../world/world.ts'
import type { Group } from './group.ts'

/** What the functions of a use see: the group, the caches, and the settings. */
export type GroupView = { readonly group: Group; readonly world: World; readonly settings: OperatorSettings }

/** What a group's Pods run with. */
export type PodView = Omit<GroupView, 'world'> & {
  readonly agent: 'culvert' | 'upstream'
  readonly class: ProxyClass | undefined
}

/** What a use adds to the Pod template. */
export type PodPart = {
  /** Undefined: `kernel`, as forwarding needs it. */
  readonly mode?: 'userspace'
  /** A container that runs as long as the proxy's. */
  readonly sidecar?: Readonly<Record<string, unknown>>
  /** In the order in which Tailscale's operator has them; both agents know them. */
  readonly variables: readonly Variable[]
  /** Types of Pod conditions without which a Pod is not ready. */
  readonly readinessGates: readonly string[]
  /** A path on port 9002 of the Pod that is requested before it ends. */
  readonly preStop?: string
  /** Beside NET_ADMIN, such as NET_BIND_SERVICE. */
  readonly capabilities?: readonly string[]
  /** What a Pod has to end, in seconds, with all that `preStop` waits for. */
  readonly graceSeconds: number
}

/** How a use stands. */
export type UseReport = {
  readonly conditions: readonly Condition[]
  /** Further fields of the status. */
  readonly status?: Readonly<Record<string, unknown>>
  /** Why the group is not ready even if all replicas are. */
  readonly lack?: string | undefined
}

/**
 * What groups of one type are for. All functions are pure: they see the caches, and say what is to be. The controller
 * of groups writes everything that is named after a group, so whatever a use puts there has one writer.
 */
export type GroupUse = {
  readonly type: Group['type']
  /**
   * The files that all replicas mount from the group's ConfigMap, by name, in /etc/proxies: a function of everything
   * that uses the group.
   */
  readonly files: (view: GroupView) => Readonly<Record<string, string | Uint8Array>>
  /** Further objects that are named after the group, and have the labels of what is. */
  readonly objects?: (view: GroupView) => readonly KubeObject[]
  readonly pod: (view: PodView) => PodPart
  /** Further fields of a replica's device config, such as `AdvertiseServices`. */
  readonly device?: (view: GroupView, ordinal: number) => Readonly<Record<string, unknown>>
  /** What the ProxyGroup's status has beside its own. */
  readonly report?: (view: GroupView) => UseReport
  /** The names of groups that a change of another object concerns, besides the group's own objects. */
  readonly concerns: readonly {
    readonly resource: Resource
    readonly groups: (changed: KubeObject, world: World) => Iterable<string>
  }[]
}
