import type { Event } from '../kube/controller/events.ts'
import type { KubeObject } from '../kube/controller/object.ts'
import type { Resource } from '../kube/controller/resource.ts'
import type { Condition } from './objects/conditions.ts'
import type { World } from './world/world.ts'

/** How an object stands. */
export type Verdict = { readonly conditions: readonly Condition[]; readonly events: readonly Event[] }

/** A kind for whose objects nothing is made: the operator only says in their status how they stand. */
export type Judged = {
  readonly name: string
  readonly resource: Resource
  /** Pure. */
  readonly judge: (object: KubeObject, world: World) => Verdict
  /** Is removed from an object that is being deleted, since nothing has to be done before. */
  readonly finalizer?: string
  /** Keys of objects that a change of another object concerns. */
  readonly concerns?: readonly {
    readonly resource: Resource
    readonly keys: (changed: KubeObject, world: World) => Iterable<string>
  }[]
}
