/**
 * Does something for each, one after the other, and gives the results. What fails does not keep the others.
 * @throws the first failure
 */
export async function forEach<T, R>(all: Iterable<T>, action: (one: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = []
  const failures: unknown[] = []
  for (const one of all) {
    try {
      results.push(await action(one))
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
  return results
}

/** The shortest of some times to wait; undefined if there is none. */
export function soonest(waits: readonly (number | undefined)[]): number | undefined {
  const some = waits.filter((wait) => wait !== undefined)
  return some.length === 0 ? undefined : Math.min(...some)
}
