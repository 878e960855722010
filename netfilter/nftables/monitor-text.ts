import { tableName } from './render.ts'

/** One transaction, as `nft monitor` announces it. */
export type Generation = {
  /** One line for each thing of our table that came or went; none where it touched others only. */
  readonly lines: readonly string[]
  /** The process that made it, such as `nft (4711)`. */
  readonly by: string
}

/** What a line says once it is there: that a transaction is whole, or that announcements were lost. */
export type Said = Generation | { readonly error: string }

const ours = new RegExp(` inet ${tableName}(?: |$)`)

/**
 * Reads the lines of `nft monitor`, one after the other. Each transaction ends with a line that names its process. A
 * line that is cut off, as the last one of a monitor that is killed, says nothing.
 */
export function monitorReader(): (line: string) => Said | undefined {
  let lines: string[] = []
  return (line) => {
    const error = /^# ERROR: (.*)/.exec(line)?.[1]
    if (error !== undefined) return { error: error.trim() }
    const [, pid, name] = /^# new generation \d+ by process (\d+) \((.*)\)/.exec(line) ?? []
    if (pid === undefined) {
      if (ours.test(line)) lines.push(line.trimEnd())
      return undefined
    }
    const generation = { lines, by: `${name} (${pid})` }
    lines = []
    return generation
  }
}
