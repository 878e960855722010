import type { Api } from '../kube/controller/api.ts'
import type { Applier } from '../kube/controller/apply.ts'
import { type Controller, controller, trigger } from '../kube/controller/controller.ts'
import type { Event } from '../kube/controller/events.ts'
import { finalize } from '../kube/controller/finalize.ts'
import type { KubeObject } from '../kube/controller/object.ts'
import type { Clock } from '../lib/clock.ts'
import type { Judged } from './judged.ts'
import { parentWriter } from './proxy/report.ts'
import type { Caches } from './world/caches.ts'
import { manager } from './world/followed.ts'

export type JudgingOptions = {
  readonly api: Pick<Api, 'patch'>
  readonly caches: Caches
  readonly applier: Applier
  readonly tell: (about: KubeObject, event: Event) => Promise<void>
  readonly clock: Clock
  readonly concurrency: number
  /** As that of a controller. */
  readonly problem: (key: string, text: string | undefined) => void
}

/** Tells objects of a kind in their status how they stand. */
export function judging(
  judged: Judged,
  { api, caches, applier, tell, clock, concurrency, problem }: JudgingOptions,
): Controller {
  const { name, resource, judge, finalizer, concerns = [] } = judged
  const { world } = caches
  const store = caches.store(resource)
  const writer = parentWriter({ api, resource, store, apply: applier.apply, clock })
  return controller({
    name,
    sources: caches.sources([resource, ...concerns.map((one) => one.resource)]),
    triggers: [
      trigger(store, ({ key }) => [key]),
      ...concerns.map(({ resource: other, keys }) =>
        trigger(caches.store(other), ({ before, after }) =>
          [before, after].flatMap((object) => (object === undefined ? [] : [...keys(object, world)])),
        ),
      ),
    ],
    clock,
    concurrency,
    problem,
    reconcile: async (key, flight) => {
      const object = store.get(key)
      if (object === undefined) return
      if (finalizer !== undefined && object.metadata.deletionTimestamp !== undefined) {
        const options = { resource, store, finalizer, manager, apply: async () => {}, cleanup: async () => true }
        return finalize(api, object, options, flight)
      }
      const { conditions, events } = judge(object, world)
      await writer.status(object, {}, conditions, flight)
      for (const event of events) await tell(object, event)
    },
    // A verdict is no refusal.
    refuse: async (key, error) => problem(key, error.message),
  })
}
