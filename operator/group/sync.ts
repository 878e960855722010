import { createHash } from 'node:crypto'
import type { Flight } from '../../kube/controller/controller.ts'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import type { Clock } from '../../lib/clock.ts'
import { isJsonObject } from '../../lib/json.ts'
import { memoOf } from '../../lib/memo.ts'
import type { PodWriter } from './pod-gate.ts'

/** What a Pod was told, and when. */
export type Synced = { readonly digest: string; readonly count: number; readonly at: number }

/** A Pod is told once a second at most, in milliseconds. */
const restMs = 1000
/**
 * After how long it is told once more while it still lags, in milliseconds: kubelet may have heard of the Pod before it
 * heard of the files.
 */
const repeats = [1500, 5000] as const

export type Sync = {
  /** The text to write; undefined: none now. */
  readonly tell?: string
  readonly next?: Synced
  /** Milliseconds after which to look again. */
  readonly again?: number
}

type Told = {
  /** What the Pod was told last, by this process or by an earlier one. */
  readonly told: string | undefined
  readonly synced: Synced | undefined
  /** It does not do yet all that the files say; with a target that is missing it never does. */
  readonly lags: () => boolean
  readonly now: number
}

/** Whether to tell a Pod of files with this digest now. */
export function nextSync(digest: string, { told, synced, lags, now }: Told): Sync {
  const since = synced === undefined ? Infinity : now - synced.at
  if (told?.split('.')[0] !== digest) {
    if (since < restMs) return { again: restMs - since }
    return { tell: digest, next: { digest, count: 1, at: now }, again: repeats[0] }
  }
  const pause = synced?.digest === digest ? repeats[synced.count - 1] : undefined
  if (synced === undefined || pause === undefined || !lags()) return {}
  if (since < pause) return { again: pause - since }
  const count = synced.count + 1
  const again = repeats[count - 1]
  return { tell: `${digest}.${count}`, next: { digest, count, at: now }, ...(again !== undefined && { again }) }
}

/** A digest of what a ConfigMap or Secret has. */
export const digestOf = memoOf(({ binaryData, data }: KubeObject): string =>
  createHash('sha256')
    .update(JSON.stringify([binaryData, data]))
    .digest('hex')
    .slice(0, 16),
)

export type SyncerOptions = {
  readonly annotate: PodWriter['annotate']
  /** The annotation that says which files a Pod was told to look at. */
  readonly annotation: string
  readonly clock: Clock
}

/**
 * Has kubelet look at the files that Pods mount when these have changed. Kubelet looks by itself once in a minute or so,
 * but at once when an annotation of the Pod changes.
 */
export function syncer({ annotate, annotation, clock }: SyncerOptions) {
  /** What Pods were told in this process. */
  const synced = new Map<string, Synced>()
  return {
    /** Gives milliseconds after which to look again. */
    sync: async (
      pod: KubeObject,
      { digest, lags }: { readonly digest: string; readonly lags: () => boolean },
      flight: Flight,
    ): Promise<number | undefined> => {
      if (!isRunning(pod)) return undefined
      const key = keyOf(pod.metadata)
      const { tell, next, again } = nextSync(digest, {
        told: pod.metadata.annotations?.[annotation],
        synced: synced.get(key),
        lags,
        now: clock.now(),
      })
      if (next !== undefined) synced.set(key, next)
      if (tell !== undefined) await annotate(pod, { [annotation]: tell }, flight)
      return again
    },
    /** The Pod with this key is gone. */
    forget: (key: string): void => void synced.delete(key),
  }
}

const isRunning = ({ status }: KubeObject): boolean => isJsonObject(status) && status['phase'] === 'Running'
