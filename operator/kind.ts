import type { Event } from '../kube/controller/events.ts'
import type { KubeObject } from '../kube/controller/object.ts'
import type { Resource } from '../kube/controller/resource.ts'
import type { Condition } from './objects/conditions.ts'
import type { Unapproved } from './proxy/approval.ts'
import type { Device, ProxyRequest } from './proxy/request.ts'
import type { OperatorSettings } from './settings/settings.ts'
import type { World } from './world/world.ts'

/** What an object asks for. */
export type Plan = {
  /** Undefined: none of its own, and what it had is taken away, since another object's proxies do what it asks for. */
  readonly proxies: ProxyRequest | undefined
  /** Further objects in the operator's or the parent's namespace, such as a NetworkPolicy; labelled by the engine. */
  readonly objects: readonly KubeObject[]
  /** What the user should know though it can be done: reported as Events. */
  readonly events: readonly Event[]
}

/** The fields of `status` that the operator writes, and what else of the parent. */
export type Report = {
  /** Applied as the whole of what the operator says in `status`, besides `conditions`. */
  readonly status: Readonly<Record<string, unknown>>
  readonly conditions: readonly Condition[]
  /** What the user should know of how it is, such as that the tailnet lacks something: reported as Events. */
  readonly events?: readonly Event[]
  /** A merge patch of the parent itself, when it is not so already (L3 egress rewrites the Service). */
  readonly patch?: Readonly<Record<string, unknown>>
}

/**
 * One use of standalone proxies. All functions are pure: they see the caches, and say what is to be.
 * Several kinds may have the same resource; the first that claims an object has it.
 */
export type Kind = {
  readonly name: string
  readonly resource: Resource
  /** Whether this kind is what the object asks for; if none claims an object, what it had is taken away. */
  readonly claims: (object: KubeObject, world: World, settings: OperatorSettings) => boolean
  /** @throws UserError when it cannot be done; what is there already stays then */
  readonly plan: (object: KubeObject, world: World, settings: OperatorSettings) => Plan
  /** How the parent looks, given its devices. `refused`: why the plan could not be made, or what keeps it from being applied. */
  readonly report: (object: KubeObject, seen: Seen, world: World, settings: OperatorSettings) => Report
  /**
   * A merge patch that takes back what `patch` of a report did, for an object that is not being deleted and that this
   * kind does not claim any more; undefined: there is nothing to take back. Applied before the proxies go.
   */
  readonly release?: (object: KubeObject, settings: OperatorSettings) => Readonly<Record<string, unknown>> | undefined
  /** Keys of this kind's objects that a change of another object concerns, besides children, class and defaults. */
  readonly concerns?: readonly {
    readonly resource: Resource
    readonly keys: (changed: KubeObject, world: World) => Iterable<string>
  }[]
}

export type Seen = {
  readonly devices: readonly Device[]
  /** The name of the StatefulSet and headless Service, once it is chosen. */
  readonly name: string | undefined
  readonly refused: Refused | undefined
  /** What devices offer in vain, as far as that is known. */
  readonly unapproved?: readonly Unapproved[] | undefined
}

/** Why the parent does not have what it asks for. What it had before goes on running. */
export type Refused = {
  /**
   * `invalid`: the user has to change the object; `pending`: something else has to happen first, such as that its
   * ProxyClass becomes valid; `failed`: the cluster or Tailscale refuses it, and it is tried again.
   */
  readonly as: 'invalid' | 'pending' | 'failed'
  /** The reason of the Event that tells it, too; that of the UserError. */
  readonly reason: string
  readonly message: string
}
