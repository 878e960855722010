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
  readonly lags: boolean
  readonly now: number
}

/** Whether to tell a Pod of files with this digest now. */
export function nextSync(digest: string, { told, synced, lags, now }: Told): Sync {
  const since = synced === undefined ? Infinity : now - synced.at
  if (told?.split('.')[0] !== digest) {
    if (since < restMs) return { again: restMs - since }
    return { tell: digest, next: { digest, count: 1, at: now }, again: repeats[0] }
  }
  if (synced?.digest !== digest || !lags) return {}
  const pause = repeats[synced.count - 1]
  if (pause === undefined) return {}
  if (since < pause) return { again: pause - since }
  const count = synced.count + 1
  const again = repeats[count - 1]
  return { tell: `${digest}.${count}`, next: { digest, count, at: now }, ...(again !== undefined && { again }) }
}
