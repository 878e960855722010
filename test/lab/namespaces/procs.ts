import { readdirSync, readFileSync } from 'node:fs'

/** A process that cannot be confused with a later one of the same number. */
export type Proc = { readonly pid: number; readonly start: string }

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** The fields of /proc/PID/stat from the state on, or undefined without the process (a zombie counts as none). */
function statOf(pid: number): string[] | undefined {
  const stat = read(`/proc/${pid}/stat`)
  if (stat === undefined) return undefined
  // The second field is the program's name in parentheses and may itself contain blanks and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields
}

/** When a process started, in clock ticks since boot, or undefined without the process. */
export function startTime(pid: number): string | undefined {
  return statOf(pid)?.[19]
}

/** The parent of a process, or undefined without the process. */
export function parentOf(pid: number): number | undefined {
  const parent = statOf(pid)?.[1]
  return parent === undefined ? undefined : Number(parent)
}

/** Identifies a running process. Throws when it has ended. */
export function identify(pid: number): Proc {
  const start = startTime(pid)
  if (start === undefined) throw new Error(`process ${pid} has ended`)
  return { pid, start }
}

export function isAlive(proc: Proc): boolean {
  return startTime(proc.pid) === proc.start
}

/** Whether a process waits for something; false without the process. */
export function isSleeping(pid: number): boolean {
  return statOf(pid)?.[0] === 'S'
}

/** The arguments of a process, its program first; empty without the process. */
export function argvOf(pid: number): string[] {
  return read(`/proc/${pid}/cmdline`)?.split('\0').slice(0, -1) ?? []
}

/** The children of a process (of its main thread), as numbered for this process. */
export function childrenOf(pid: number): number[] {
  const text = read(`/proc/${pid}/task/${pid}/children`)
  return text === undefined ? [] : text.split(' ').filter(Boolean).map(Number)
}

export function allPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

/** Changes with every boot: what was recorded under another value is gone. */
export function bootId(): string {
  return read('/proc/sys/kernel/random/boot_id')?.trim() ?? ''
}

/** Sends a signal; a process that has already ended is no error. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
