/** How long the processor works on something in the mean, in ms. What else runs on the machine makes no difference. */
function processorTime(work: () => unknown): number {
  const before = process.threadCpuUsage()
  // The kernel counts in steps, so that there must be many of them.
  for (let times = 1; ; times += 1) {
    work()
    const { user, system } = process.threadCpuUsage(before)
    const ms = (user + system) / 1000
    if (ms >= 100) return ms / times
  }
}

/**
 * By which power of the size the work for the processor grows: 0 where it stays the same, 1 where each piece costs the
 * same, 2 where each costs as much as there are others. Caches of the processor blur that, and so sizes lie far apart.
 */
export function growth(
  sizes: readonly [small: number, large: number],
  prepare: (size: number) => () => unknown,
): number {
  const [small, large] = sizes.map((size) => {
    const work = prepare(size)
    // What disturbs it makes it slower.
    return Math.min(...Array.from({ length: 3 }, () => processorTime(work)))
  }) as [number, number]
  return Math.log(large / small) / Math.log(sizes[1] / sizes[0])
}
