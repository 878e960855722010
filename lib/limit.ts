/** Runs a piece of work when its turn comes, and settles as it does. */
export type Limited = <T>(work: () => Promise<T>) => Promise<T>

/** Limits concurrency: pieces of work start in the order of the calls. */
export function limited(many: number): Limited {
  let free = many
  const waiting: (() => void)[] = []
  return async (work) => {
    if (free > 0) free -= 1
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) free += 1
      else next()
    }
  }
}
