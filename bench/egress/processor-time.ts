import { readFileSync } from 'node:fs'
import { childrenOf } from '../../test/lab/namespaces/procs.ts'

/** Clock ticks per second, the kernel's unit of CPU time. */
const ticksPerMs = 100 / 1000

/**
 * Milliseconds of CPU time of a process and its children, ended or running, except those that run a program of
 * `without`. In steps of 10 ms.
 */
export function processorTime(pid: number, without: readonly string[] = []): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // From the field "state" on: utime, stime, cutime and cstime.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const own = fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / ticksPerMs
  const running = childrenOf(pid).filter((child) => !without.includes(programOf(child)))
  return running.reduce((sum, child) => sum + processorTime(child), own)
}

export const programOf = (pid: number): string => readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
