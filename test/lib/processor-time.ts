/** The mean CPU time of `work`, in ms. Other load on the machine does not count. */
function processorTime(work: () => unknown): number {
  const before = process.threadCpuUsage()
  // The kernel counts in ticks, so there must be many of them.
  for (let times = 1; ; times += 1) {
    work()
    const { user, system } = process.threadCpuUsage(before)
    const ms = (user + system) / 1000
    if (ms >= 100) return ms / times
  }
}

/**
 * The exponent with which CPU time grows with size: 0 is constant, 1 linear, 2 quadratic. CPU caches blur this, so the
 * sizes must be far apart.
 */
export function growth(
  sizes: readonly [small: number, large: number],
  prepare: (size: number) => () => unknown,
): number {
  const [small, large] = sizes.map((size) => {
    const work = prepare(size)
    // Disturbances only make it slower.
    return Math.min(...Array.from({ length: 3 }, () => processorTime(work)))
  }) as [number, number]
  return Math.log(large / small) / Math.log(sizes[1] / sizes[0])
}
