import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { backoff } from '../../lib/backoff.ts'
import { describe } from '../../lib/errors.ts'
import { type Ending, type Program, type ProgramOptions, startProgram } from '../../lib/program.ts'
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
  readonly start?: (name: string, args: readonly string[], options: ProgramOptions) => MonitorProcess
}

/** What is used of a program. */
export type MonitorProcess = Pick<Program, 'stdout' | 'stderr' | 'ended'>

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
  { announce, start = startProgram }: MonitorOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  // JSON would take the monitor several times the memory; lines that name the table are all that is needed.
  const monitor = start('nft', ['monitor'], { output: 'pipe', signal, endWith: 'SIGKILL' })
  const ended = endOf(monitor)
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

async function endOf({ stderr, ended }: MonitorProcess): Promise<string> {
  let said = ''
  stderr?.on('data', (part: Buffer) => {
    if (said.length < 1000) said += part.toString()
  })
  const how = nameOf(await ended)
  return said === '' ? how : `${how}: ${said.trim()}`
}

function nameOf(ending: Ending): string {
  if ('unstarted' in ending) return describe(ending.unstarted)
  return 'signal' in ending ? ending.signal : `exit code ${ending.exitCode}`
}
