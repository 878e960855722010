import { stat } from 'node:fs/promises'
import { basename, resolve as absolute } from 'node:path'
import { backoff } from './backoff.ts'
import { coalesce, type Notice } from './coalesce.ts'
import { describe } from './errors.ts'
import { sleep } from './timers.ts'

export type DirectoryOptions = {
  /** Milliseconds after which `changed` is called without an event: some file systems have none. */
  readonly rereadMs: number
  /** Called with the reason why the directory cannot be watched, once per outage; and with errors of `changed`. */
  readonly report: (problem: string) => void
  readonly signal: AbortSignal
}

/** kubelet's link in a mounted volume: it leads to the files, and is renamed when all new ones are in place. */
const swapped = '..data'

/**
 * Calls `changed` once it watches the directory at `path`, soon after anything happens there, and every `rereadMs`,
 * until `signal` aborts. Calls never overlap, and their errors are reported. An absent directory is watched as soon as
 * it exists, a replaced one after `rereadMs` at the latest. When kubelet swaps `..data`, `changed` is called at once;
 * what else begins with `..` is its preparation for that, and does not count. Other programs write the files, one by
 * one, so each other event waits for those that may follow.
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
  { opened, notice, signal }: { opened: () => void; notice: Notice; signal: AbortSignal },
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
  // Before chokidar has compared the directory with what it knows, which takes it some milliseconds.
  watcher.on('raw', (_event, name) => {
    if (name === swapped) notice({ atOnce: true })
  })
  watcher.on('all', (event, which) => {
    if (which === path || !basename(which).startsWith('..')) notice()
    if (event === 'unlinkDir' && which === path) over.abort()
  })
  try {
    await Promise.race([failed.promise, sleep(ms, AbortSignal.any([over.signal, signal]))])
  } finally {
    over.abort()
    await watcher.close()
  }
}
