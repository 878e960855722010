import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { backoff } from '../../lib/backoff.ts'
import { describe } from '../../lib/errors.ts'
import { type Ending, type Program, type ProgramOptions, startProgram } from '../../lib/program.ts'
import { sleep } from '../../lib/timers.ts'
import { type Generation, monitorReader } from './monitor-text.ts'

export type Listener = {
  /** From now on everything is announced. Earlier changes may not have been. */
  readonly begun: () => void
  /** A transaction that concerned our table. */
  readonly generation: (generation: Generation) => void
  /**
   * Nothing is announced until `begun` is called again. `why` is undefined if the monitor was restarted on purpose,
   * with nothing lost.
   */
  readonly ended: (why?: string) => void
}

export type MonitorOptions = {
  /** Makes a transaction that is announced but changes nothing. */
  readonly announce: () => Promise<void>
  readonly start?: (name: string, args: readonly string[], options: ProgramOptions) => MonitorProcess
}

/** The used part of a program. */
export type MonitorProcess = Pick<Program, 'stdout' | 'stderr' | 'ended'>

/** A monitor keeps everything it has announced in memory: it is restarted after this many lines at once. */
const manyLines = 2000

/** The first and the longest pause between two empty announcements, in ms. */
const announceFirst = 25
const announceCap = 5000

/**
 * Reports each transaction that concerned our table, our own included, to `listener`, until `signal` aborts. Runs `nft
 * monitor`, and restarts it with growing pauses when it ends, cannot be started, or has lost something. Never rejects.
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

/** Follows one monitor to its end. Gives why it ended; undefined if it should only be restarted. */
async function follow(
  listener: Listener,
  { announce, start = startProgram }: MonitorOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  // JSON would take the monitor several times the memory, and only lines that name the table are needed.
  const monitor = start('nft', ['monitor'], { output: 'pipe', signal, endWith: 'SIGKILL' })
  const ended = endOf(monitor)
  if (!monitor.stdout) return ended
  const heard = new AbortController()
  const beginning = AbortSignal.any([signal, heard.signal])
  const unannounced = untilHeard(announce, beginning)
  // How it ended is reported by `ended`.
  monitor.stdout.on('error', () => {})
  const read = monitorReader()
  const followed = async (stdout: Readable): Promise<string | undefined> => {
    for await (const line of createInterface({ input: stdout })) {
      // Another monitor may be running by the time the rest of this output is read.
      if (signal.aborted) break
      const said = read(line)
      if (said === undefined) continue
      // The kernel reports the loss before it delivers what it had queued, and keeps losing announcements silently
      // until that is read: only a new monitor misses nothing.
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

/**
 * Makes empty announcements until `signal` aborts: a monitor has begun once it reports one. Rejects when that fails.
 */
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
