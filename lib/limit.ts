/** Does a piece of work when it is its turn. Gives what comes of it, or rejects as it does. */
export type Limited = <T>(work: () => Promise<T>) => Promise<T>

/** Limits how much is done at a time: so many pieces of work, in the order in which they are asked for. */
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
