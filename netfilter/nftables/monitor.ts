import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { backoff } from '../../lib/backoff.ts'
import { sleep } from '../../lib/timers.ts'
import { tableName } from './render.ts'

/**
 * Calls `changed` after each transaction, our own included, that touched our table, and each time that watching began
 * anew, until `signal` aborts. Runs `nft monitor`, and starts it again with growing pauses when it ends; `report` gets
 * why.
 */
export async function watchTable(
  changed: () => void,
  report: (problem: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const pause = backoff(250, 30_000)
  while (!signal.aborted) {
    // JSON would take the monitor several times the memory; a line that names the table is all that is needed.
    const monitor = spawn('nft', ['monitor'], { stdio: ['ignore', 'pipe', 'ignore'], signal })
    const ended = new Promise<string>((resolve) => {
      monitor.once('error', (error) => resolve(error.message))
      monitor.once('close', (code, name) => resolve(name === null ? `exit code ${code}` : name))
    })
    // A change between the last look and the monitor's first is not announced: look once it has surely begun.
    const begun = setTimeout(changed, 500)
    let touched = false
    for await (const line of createInterface({ input: monitor.stdout })) {
      if (line.startsWith('# new generation')) {
        pause.reset()
        if (touched) changed()
        touched = false
      } else if (line.includes(` inet ${tableName}`)) {
        touched = true
      }
    }
    const how = await ended
    clearTimeout(begun)
    if (signal.aborted) return
    report(`nft monitor ended (${how}); it is started again`)
    await sleep(pause.next(), signal)
  }
}
