import { existsSync, writeFileSync } from 'node:fs'
import type { Log } from './log.ts'
import { processEvents } from './process-events.ts'

/**
 * Leaves the reason of a program's end in this file, the text of which kubelet shows in the container's status. The
 * file is never created: if it is absent, nothing reads it. Never throws: a failure is logged.
 */
export function leaveReason(path: string, reason: string, log: Log): void {
  if (!existsSync(path)) return
  try {
    writeFileSync(path, reason.slice(0, 4096))
  } catch (error) {
    log(processEvents.reasonNotLeft({ path, problem: error }))
  }
}
