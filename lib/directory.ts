import { stat } from 'node:fs/promises'
import { resolve as absolute } from 'node:path'
import { watch } from 'chokidar'
import { backoff } from './backoff.ts'
import { describe } from './errors.ts'
import { sleep } from './timers.ts'

export type DirectoryOptions = {
  /** Milliseconds after which `changed` is called although nothing was seen: some file systems announce nothing. */
  readonly rereadMs: number
  /**
   * Gets why the directory cannot be watched, once until it can be again, as it is re-read meanwhile; and what `changed`
   * rejects with.
   */
  readonly report: (problem: string) => void
  readonly signal: AbortSignal
}

/**
 * Calls `changed` once it has begun to watch the directory at `path`, soon after anything happens there, and every
 * `rereadMs`, until `signal` aborts. `changed` is called again only when it has finished; what it rejects with is
 * reported. A directory that is absent is watched as soon as it is there; one that is replaced, after `rereadMs` at the
 * latest.
 *
 * Whatever happens there counts: kubelet renames the link `..data` in a mounted volume, others write the files.
 */
export async function watchDirectory(
  path: string,
  changed: () => void | Promise<void>,
  { rereadMs, report, signal }: DirectoryOptions,
): Promise<void> {
  const act = async (): Promise<void> => {
    try {
      await changed()
    } catch (error) {
      report(`what changed in ${path} could not be used: ${describe(error)}`)
    }
  }
  const notice = coalesce(act, signal)
  const pause = backoff(250, 5000)
  let failing = false
  while (!signal.aborted) {
    const opened = (): void => {
      failing = false
      // What was changed before is announced by nobody.
      notice()
    }
    try {
      await watchFor(rereadMs, absolute(path), { opened, notice, signal })
      pause.reset()
    } catch (error) {
      if (!failing) report(`${path} cannot be watched, so it is re-read from time to time: ${describe(error)}`)
      failing = true
      notice()
      await sleep(Math.min(pause.next(), rereadMs), signal)
    }
  }
}

/**
 * Watches for `ms`, or until the directory itself goes, or `signal` aborts; rejects when watching fails. No longer,
 * because the watch stays with the old directory when another takes its place: that is not always announced, and
 * chokidar overlooks it where it happens at once.
 */
async function watchFor(
  ms: number,
  path: string,
  { opened, notice, signal }: { opened: () => void; notice: () => void; signal: AbortSignal },
): Promise<void> {
  // That it is absent is no error to chokidar.
  await stat(path)
  const over = new AbortController()
  const failed = Promise.withResolvers<never>()
  const watcher = watch(path, {
    depth: 0,
    ignoreInitial: true,
    followSymlinks: false,
    atomic: false,
    persistent: false,
  })
  watcher.on('ready', opened)
  watcher.on('error', failed.reject)
  watcher.on('all', (event, which) => {
    notice()
    if (event === 'unlinkDir' && which === path) over.abort()
  })
  try {
    await Promise.race([failed.promise, sleep(ms, AbortSignal.any([over.signal, signal]))])
  } finally {
    over.abort()
    await watcher.close()
  }
}

/** A burst is over after this many milliseconds without another event; one that goes on is not awaited longer. */
const quietMs = 50
const burstMs = 1000

/** Makes a burst of calls one call of `action`, and no two of those run at once. */
function coalesce(action: () => void | Promise<void>, signal: AbortSignal): () => void {
  let timer: NodeJS.Timeout | undefined
  let began = 0
  let queued = false
  let last = Promise.resolve()
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
  const run = (): void | Promise<void> => {
    queued = false
    return signal.aborted ? undefined : action()
  }
  const fire = (): void => {
    timer = undefined
    if (queued) return
    queued = true
    last = last.then(run)
  }
  return () => {
    if (signal.aborted) return
    const now = performance.now()
    if (timer === undefined) began = now
    clearTimeout(timer)
    timer = setTimeout(fire, Math.max(0, Math.min(quietMs, began + burstMs - now)))
  }
}
