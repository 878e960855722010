import { readFileSync } from 'node:fs'
import { childrenOf } from '../../test/lab/namespaces/procs.ts'

/** Of a second, as the kernel counts processor time. */
const ticksPerMs = 100 / 1000

/**
 * Milliseconds of processor time that a process has taken, with the children that have ended and those that run; not
 * with those that run a program of `without`. In steps of 10 ms.
 */
export function processorTime(pid: number, without: readonly string[] = []): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // From the state on: utime, stime, cutime and cstime.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const own = fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / ticksPerMs
  const running = childrenOf(pid).filter((child) => !without.includes(programOf(child)))
  return running.reduce((sum, child) => sum + processorTime(child), own)
}

const programOf = (pid: number): string => readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
