/** Limits concurrency to `size`: each call waits for a slot and returns the function that releases it. */
export function semaphore(size: number): () => Promise<() => void> {
  const waiting: (() => void)[] = []
  let free = size
  const pass = (): void => {
    const next = waiting.shift()
    if (next === undefined) free += 1
    else next()
  }
  return async () => {
    if (free > 0) free -= 1
    else await new Promise<void>((resolve) => waiting.push(resolve))
    let over = false
    return () => {
      if (!over) pass()
      over = true
    }
  }
}
