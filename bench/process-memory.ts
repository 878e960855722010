import { readFile } from 'node:fs/promises'
import type { Row } from './section.ts'

/** MiB: all resident pages, and those of them that no file backs. */
export type Memory = { readonly resident: number; readonly anonymous: number }

/** Of one process, by its PID on this side, without its children. */
export async function memoryOf({ pid, name }: { readonly pid: number; readonly name: string }): Promise<Memory> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const field = (key: string): number => {
    const match = new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(status)
    if (match?.[1] === undefined) throw new Error(`the status of ${name} has no ${key}`)
    return Number(match[1]) / 1024
  }
  return { resident: field('VmRSS'), anonymous: field('RssAnon') }
}

/** Two rows, one for each kind of memory; `how` is appended to their names. */
export function memoryRows(ours: readonly Memory[], other: readonly Memory[], how = ''): Row[] {
  return (['resident', 'anonymous'] as const).map((kind) => ({
    what: `${kind}${how}`,
    unit: 'MiB',
    better: 'less',
    ours: ours.map((one) => one[kind]),
    other: other.map((one) => one[kind]),
  }))
}
