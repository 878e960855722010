import { createHash } from 'node:crypto'
import type { Api } from '../../kube/controller/api.ts'
import { connect } from '../../kube/controller/cluster.ts'
import { undivided } from '../../kube/controller/election/declared.ts'
import { keyOf, nameOf } from '../../kube/controller/object.ts'
import type { Log } from '../../lib/log.ts'
import { quote } from '../../lib/quote.ts'
import { events } from '../log-events.ts'
import { labels } from '../objects/names.ts'
import { labelValue } from '../objects/parent.ts'
import { namespaces } from '../objects/resources.ts'
import type { Read } from '../settings/read.ts'

/** How Services and Ingresses with proxies of their own are divided, for the whole life of a process. */
export type Division = {
  readonly count: number
  /** From 0 on, of an object by its `namespace/name`. */
  readonly shardOf: (key: string) => number
  /** Tells divisions apart, for replicas that were started with different ones. */
  readonly plan: string
}

export const whole: Division = { count: 1, shardOf: () => 0, plan: undivided }

const hash = (text: string): Buffer => createHash('sha256').update(text).digest()

/** `labelled`: namespaces whose objects are all in one shard; those of others are in shards by their names. */
export function divide(count: number, labelled: ReadonlyMap<string, number> = new Map()): Division {
  if (count === 1) return whole
  const all = JSON.stringify([...labelled].toSorted(([one], [other]) => (one < other ? -1 : 1)))
  return {
    count,
    shardOf: (key) => {
      const { namespace, name } = nameOf(key)
      // Labels of what is made for an object have a long name cut.
      const short = keyOf({ namespace, name: labelValue(name) })
      return labelled.get(namespace ?? '') ?? hash(short).readUInt32BE() % count
    },
    plan: labelled.size === 0 ? String(count) : `${count}+${hash(all).toString('hex').slice(0, 8)}`,
  }
}

/**
 * The division of the settings, by the labels that Namespaces have now: what they get later counts for the processes
 * that are started after it, so that who works on an object changes in one way only.
 * @throws KubeError when there is more than one shard and Namespaces cannot be listed
 */
export async function readDivision({ settings }: Read, log: Log, signal: AbortSignal): Promise<Division> {
  const { shards } = settings
  if (shards === 1) return whole
  const { api } = await connect('default')
  const labelled = new Map<string, number>()
  for (const [name, value] of await labelsIn(api, signal)) {
    const shard = Number(value)
    if (/^\d+$/.test(value) && shard < shards) labelled.set(name, shard)
    else {
      const problem = `Namespace ${quote(name)} has the label ${labels.shard}=${value}: shards from 0 to ${shards - 1} are accepted; it has no effect`
      log(events.setting({ problem }))
    }
  }
  return divide(shards, labelled)
}

/** The labels of Namespaces that name a shard. */
async function labelsIn(api: Pick<Api, 'page'>, signal: AbortSignal): Promise<(readonly [string, string])[]> {
  const found: (readonly [string, string])[] = []
  for (let next: string | undefined; ;) {
    const page = await api.page(namespaces, { scope: { labels: labels.shard }, limit: 500, next }, signal)
    found.push(...page.objects.map(({ metadata }) => [metadata.name, metadata.labels?.[labels.shard] ?? ''] as const))
    next = page.next
    if (next === undefined) return found
  }
}
