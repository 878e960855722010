import type { Applier } from '../kube/controller/apply.ts'
import type { ControllerOptions } from '../kube/controller/controller.ts'
import type { Event } from '../kube/controller/events.ts'
import type { KubeObject } from '../kube/controller/object.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { OperatorSettings } from './settings/settings.ts'
import type { Caches } from './world/caches.ts'

/** What the operator's controllers are made from, besides the requests that each may send. */
export type ControllerParts = Pick<ControllerOptions, 'problem'> & {
  readonly caches: Caches
  readonly applier: Applier
  readonly tell: (about: KubeObject, event: Event) => Promise<void>
  readonly settings: OperatorSettings
  readonly clock: Clock
  readonly log: Log
}
