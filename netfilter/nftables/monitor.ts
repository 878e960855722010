import { spawn as spawnProgram, type SpawnOptions } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { backoff } from '../../lib/backoff.ts'
import { describe } from '../../lib/errors.ts'
import { sleep } from '../../lib/timers.ts'
import { type Generation, monitorReader } from './monitor-text.ts'

export type Listener = {
  /** Everything from now on is announced. What happened before may not have been. */
  readonly begun: () => void
  /** A transaction that touched our table. */
  readonly generation: (generation: Generation) => void
  /** Nothing is announced until it has begun again. `why` is undefined when it was ended to begin anew, with nothing lost. */
  readonly ended: (why?: string) => void
}

export type MonitorOptions = {
  /** Makes a transaction that is announced and changes nothing. */
  readonly announce: () => Promise<void>
  readonly spawn?: (program: string, args: readonly string[], options: SpawnOptions) => MonitorProcess
}

/** What is used of a child process; it has no streams where it could not be started. */
export type MonitorProcess = {
  readonly stdout: Readable | null | undefined
  readonly stderr: Readable | null | undefined
  once(event: 'error', listener: (error: Error) => void): unknown
  once(event: 'close', listener: (code: number | null, signal: string | null) => void): unknown
}

/** A monitor keeps what it has announced: after so many lines at once it is started anew, to have its memory back. */
const manyLines = 2000

/** The first and the longest pause between two announcements of nothing, in ms. */
const announceFirst = 25
const announceCap = 5000

/**
 * Tells `listener` of each transaction that touched our table, our own included, until `signal` aborts. Runs
 * `nft monitor`, and starts it again with growing pauses when it ends, cannot be started, or has lost something. Never
 * rejects.
 */
export async function watchTable(listener: Listener, options: MonitorOptions, signal: AbortSignal): Promise<void> {
  const pause = backoff(250, 30_000)
  while (!signal.aborted) {
    const over = new AbortController()
    const ending = AbortSignal.any([signal, over.signal])
    const begun = (): void => {
      pause.reset()
      listener.begun()
    }
    const why = await follow({ ...listener, begun }, options, ending)
      .catch(describe)
      .finally(() => over.abort())
    if (signal.aborted) return
    listener.ended(why)
    if (why !== undefined) await sleep(pause.next(), signal)
  }
}

/** One monitor, from its start to its end. Gives why it ended; undefined where it is only to be started anew. */
async function follow(
  listener: Listener,
  { announce, spawn = spawnProgram }: MonitorOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  // JSON would take the monitor several times the memory; lines that name the table are all that is needed.
  const monitor = spawn('nft', ['monitor'], { stdio: ['ignore', 'pipe', 'pipe'], signal, killSignal: 'SIGKILL' })
  const ended = endOf(monitor)
  // Where there is no file descriptor left, it has no stdout and its error is still to come.
  if (!monitor.stdout) return ended
  const heard = new AbortController()
  const beginning = AbortSignal.any([signal, heard.signal])
  const unannounced = untilHeard(announce, beginning)
  // Its end tells.
  monitor.stdout.on('error', () => {})
  const read = monitorReader()
  const followed = async (stdout: Readable): Promise<string | undefined> => {
    for await (const line of createInterface({ input: stdout })) {
      // Another one may have begun by the time the rest of what this one printed is read.
      if (signal.aborted) break
      const said = read(line)
      if (said === undefined) continue
      // The kernel says so before it hands over what it had queued, and goes on losing things without a word until
      // that has been read: only another monitor misses nothing.
      if ('error' in said) return said.error
      if (!heard.signal.aborted) {
        heard.abort()
        listener.begun()
      } else if (said.lines.length > 0) listener.generation(said)
      if (said.lines.length > manyLines) return undefined
    }
    return ended
  }
  return Promise.race([followed(monitor.stdout), unannounced]).finally(() => heard.abort())
}

/** Announces nothing, again and again, until `signal` aborts: a monitor has begun when it has heard that. Rejects when it cannot. */
async function untilHeard(announce: () => Promise<void>, signal: AbortSignal): Promise<never> {
  const pause = backoff(announceFirst, announceCap)
  while (!signal.aborted) {
    await announce()
    await sleep(pause.next(), signal)
  }
  return new Promise<never>(() => {})
}

function endOf(monitor: MonitorProcess): Promise<string> {
  let said = ''
  monitor.stderr?.on('data', (part: Buffer) => {
    if (said.length < 1000) said += part.toString()
  })
  return new Promise((resolve) => {
    monitor.once('error', (error) => resolve(error.message))
    monitor.once('close', (code, name) => {
      const how = name === null ? `exit code ${code}` : name
      resolve(said === '' ? how : `${how}: ${said.trim()}`)
    })
  })
}
