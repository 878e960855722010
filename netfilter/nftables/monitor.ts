import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { backoff } from '../../lib/backoff.ts'
import { sleep } from '../../lib/timers.ts'
import { tableName } from './render.ts'

/** One transaction that touched our table. */
export type Generation = {
  /** As nft announces it: one line for each thing that came or went, ours alone. */
  readonly lines: readonly string[]
  /** The process that made it, such as `nft (4711)`. */
  readonly by: string
}

export type Listener = {
  /** Everything from now on is announced. What happened before may not have been. */
  readonly begun: () => void
  readonly generation: (generation: Generation) => void
  /** Nothing is announced until it has begun again. `why` is undefined when it was ended to begin anew. */
  readonly ended: (why?: string) => void
}

/** A monitor keeps what it has announced: after so many lines at once it is started anew, to have its memory back. */
const manyLines = 2000

const ours = new RegExp(` inet ${tableName}(?: |$)`)

/** How long it takes a monitor to begin for sure, in ms. */
const beginMs = 500

/**
 * Tells `listener` of each transaction that touched our table, our own included, until `signal` aborts. Runs
 * `nft monitor`, and starts it again with growing pauses when it ends.
 */
export async function watchTable(listener: Listener, signal: AbortSignal): Promise<void> {
  const pause = backoff(250, 30_000)
  while (!signal.aborted) {
    const over = new AbortController()
    // JSON would take the monitor several times the memory; lines that name the table are all that is needed.
    const monitor = spawn('nft', ['monitor'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      signal: AbortSignal.any([signal, over.signal]),
    })
    const ended = new Promise<string>((resolve) => {
      monitor.once('error', (error) => resolve(error.message))
      monitor.once('close', (code, name) => resolve(name === null ? `exit code ${code}` : name))
    })
    const begun = setTimeout(listener.begun, beginMs)
    let lines: string[] = []
    for await (const line of createInterface({ input: monitor.stdout })) {
      const by = /^# new generation \d+ by process (\d+) \((.*)\)/.exec(line)
      if (by === null) {
        if (ours.test(line)) lines.push(line.trimEnd())
        continue
      }
      pause.reset()
      if (lines.length > 0) listener.generation({ lines, by: `${by[2]} (${by[1]})` })
      if (lines.length > manyLines) over.abort()
      lines = []
    }
    const how = await ended
    clearTimeout(begun)
    if (signal.aborted) return
    if (over.signal.aborted) {
      listener.ended()
      continue
    }
    listener.ended(how)
    await sleep(pause.next(), signal)
  }
}
