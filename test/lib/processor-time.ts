/** How long the processor worked on something, in ms, with what it gave. What else runs on the machine makes no difference. */
export function processorTime<T>(work: () => T): { result: T; ms: number } {
  const before = process.threadCpuUsage()
  const result = work()
  const { user, system } = process.threadCpuUsage(before)
  return { result, ms: (user + system) / 1000 }
}
