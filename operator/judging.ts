import type { Api } from '../kube/controller/api.ts'
import { type Controller, controller, trigger } from '../kube/controller/controller.ts'
import { finalize } from '../kube/controller/finalize.ts'
import type { ControllerParts } from './controller-parts.ts'
import type { Judged } from './judged.ts'
import { parentWriter } from './proxy/report.ts'
import { manager } from './world/followed.ts'

export type JudgingOptions = ControllerParts & {
  readonly api: Pick<Api, 'patch'>
}

/** Tells objects of a kind in their status how they stand. */
export function judging(
  judged: Judged,
  { api, caches, applier, tell, settings, clock, problem }: JudgingOptions,
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
    concurrency: settings.concurrency,
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
