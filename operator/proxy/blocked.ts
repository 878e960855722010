import * as z from 'zod/mini'
import type { Api } from '../../kube/controller/api.ts'
import { type KubeObject } from '../../kube/controller/object.ts'
import { optional } from '../../lib/json.ts'
import type { Refused } from '../kind.ts'
import { events, pods } from '../objects/resources.ts'
import type { World } from '../world/world.ts'
import { troubleOf } from './trouble.ts'

const schema = z.object({
  message: optional(z.string()),
  lastTimestamp: optional(z.string()),
  involvedObject: z.object({ uid: optional(z.string()) }),
})

/** While a Pod is missing, nothing tells when that changes but another look. */
const againMs = 15_000

/**
 * What keeps the Pods of a StatefulSet from running, if that is known: a quota or an admission that refuses them, a
 * scheduler that finds no node, an image that cannot be pulled.
 */
export async function blockedBy(
  api: Pick<Api, 'page'>,
  world: World,
  set: KubeObject,
  replicas: number,
  signal: AbortSignal,
): Promise<{ readonly refused?: Refused; readonly again?: number }> {
  const { name, namespace = '', uid } = set.metadata
  const all = Array.from({ length: replicas }, (_, ordinal) => world.get(pods, `${namespace}/${name}-${ordinal}`))
  const trouble = all.flatMap((pod) => (pod && troubleOf(pod)) ?? [])[0]
  if (trouble !== undefined) return { refused: { as: 'pending', reason: 'ProxyPodNotStarted', message: trouble } }
  if (!all.includes(undefined)) return {}
  const fields = `involvedObject.kind=StatefulSet,involvedObject.name=${name},reason=FailedCreate`
  const { objects } = await api.page(events, { scope: { namespace, fields }, limit: 50 }, signal)
  const said = objects
    .map((event) => z.safeParse(schema, event).data)
    .filter((event) => event !== undefined && event.involvedObject.uid === uid)
    .toSorted((one, other) => ((one?.lastTimestamp ?? '') < (other?.lastTimestamp ?? '') ? 1 : -1))
  const message = said[0]?.message
  if (!message) return { again: againMs }
  return { refused: { as: 'failed', reason: 'ProxyPodRefused', message }, again: againMs }
}
