import { stat } from 'node:fs/promises'
import { resolve as absolute } from 'node:path'
import { backoff } from './backoff.ts'
import { describe } from './errors.ts'
import { sleep } from './timers.ts'

export type DirectoryOptions = {
  /** Milliseconds after which `changed` is called without an event: some file systems have none. */
  readonly rereadMs: number
  /** Called with the reason why the directory cannot be watched, once per outage; and with errors of `changed`. */
  readonly report: (problem: string) => void
  readonly signal: AbortSignal
}

/**
 * Calls `changed` once it watches the directory at `path`, soon after anything happens there, and every `rereadMs`,
 * until `signal` aborts. Calls never overlap, and their errors are reported. An absent directory is watched as soon as
 * it exists, a replaced one after `rereadMs` at the latest. Every event counts: kubelet renames the link `..data` in a
 * mounted volume, other programs write the files.
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
      // Earlier changes have no events.
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
 * Watches for `ms`, until the directory is removed, or until `signal` aborts; rejects when watching fails. The watch
 * must be renewed because it stays with the old directory when another takes its place: there may be no event, and
 * chokidar overlooks an immediate replacement.
 */
async function watchFor(
  ms: number,
  path: string,
  { opened, notice, signal }: { opened: () => void; notice: () => void; signal: AbortSignal },
): Promise<void> {
  // chokidar does not treat an absent directory as an error.
  await stat(path)
  // Loaded here, since Pods without mounted directories do without it.
  const { watch } = await import('chokidar')
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

/** A burst ends after this many milliseconds without an event; a longer one is interrupted. */
const quietMs = 50
const burstMs = 1000

/** Merges a burst of calls into one call of `action`; calls never overlap. */
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
