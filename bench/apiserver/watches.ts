import { setTimeout as delay } from 'node:timers/promises'
import { limited } from '../../lib/limit.ts'
import { configMaps } from '../../operator/objects/resources.ts'
import { type ApiBed, never } from '../../test/kube/controller/api-bed.ts'
import { program } from '../backend.ts'
import type { Memory } from '../process-memory.ts'
import type { Way, Ways } from './ways.ts'

export type Note = (text: string) => void

/** The object that is asked for and watched. */
export const name = { namespace: 'default', name: 'bench' }
export const collection = '/api/v1/namespaces/default/configmaps'

async function watching(all: Ways, way: Way, more: { readonly count: number; readonly events?: number }) {
  // Events of before are none of theirs.
  const path = `${collection}?watch=true&fieldSelector=metadata.name%3D${name.name}&resourceVersion=`
  const { stdout } = await all.its.bed.cluster.kubectl([
    'get',
    'configmap',
    name.name,
    '--output=jsonpath={.metadata.resourceVersion}',
  ])
  const settings = { ...all.address[way], way: 'watch', path: `${path}${stdout}`, ...more }
  const started = await all.its.bed
    .host('alice')
    .spawn([process.execPath, program('api-load.ts'), JSON.stringify(settings)], { name: `watch-${way}` })
  await started.line(/^ready$/)
  return started
}

/** Watches at once, and events of each. */
type Size = { readonly watches: number; readonly events: number }

type Events = {
  /** Events a second. */
  readonly rate: number
  /** Milliseconds of CPU time of what is in the way, for 1,000 events. */
  readonly processor: number
}

/** Measures until it succeeds, a few times at most: the API server ends a watch of which it finds that it is slow. */
export async function eventsOf(all: Ways, kube: ApiBed, way: Way, size: Size): Promise<Events> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await eventsOnce(all, kube, way, size)
    } catch (error) {
      if (attempt === 5) throw error
    }
  }
}

async function eventsOnce(all: Ways, kube: ApiBed, way: Way, { watches: count, events }: Size): Promise<Events> {
  const started = await watching(all, way, { count, events })
  const before = all.processor(way)
  const some = limited(writers)
  await Promise.all(
    Array.from({ length: events }, (_, index) => {
      const patch = { type: 'merge', body: { data: { index: String(index) } }, manager: 'bench' } as const
      return some(() => kube.direct.patch(configMaps, name, patch, never))
    }),
  )
  const [, seconds] = await started.line(/^\{"seconds":([\d.]+)\}$/)
  const processor = ((all.processor(way) - before) / (count * events)) * 1000
  await started.exited
  return { rate: (count * events) / Number(seconds), processor }
}
const writers = 4

/** What each open watch adds, in KiB. */
export async function memoryOfWatches(all: Ways, way: 'ours' | 'upstream', count: number, note: Note): Promise<Memory> {
  note(`${way}, ${count} open watches`)
  const before = await all.memory(way)
  const started = await watching(all, way, { count })
  await delay(5000)
  const after = await all.memory(way)
  await started.stop()
  const each = (kind: keyof Memory): number => ((after[kind] - before[kind]) * 1024) / count
  return { resident: each('resident'), anonymous: each('anonymous') }
}
