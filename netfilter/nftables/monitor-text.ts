import { tableName } from './render.ts'

/** One transaction, as announced by `nft monitor`. */
export type Generation = {
  /** One line for each added or deleted part of our table; none if the transaction concerned other tables only. */
  readonly lines: readonly string[]
  /** The process that made it, such as `nft (4711)`. */
  readonly by: string
}

/** The meaning of a line: a complete transaction, or that announcements were lost. */
export type Said = Generation | { readonly error: string }

const ours = new RegExp(` inet ${tableName}(?: |$)`)

/**
 * Reads the lines of `nft monitor` one after the other. Each transaction ends with a line that names its process. A
 * truncated line, such as the last one of a killed monitor, is ignored.
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
