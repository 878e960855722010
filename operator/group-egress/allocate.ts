import { UserError } from '../../kube/controller/controller.ts'

/** Ports of Pods, both included. */
export type Range = { readonly first: number; readonly last: number }

/**
 * What an agent’s Pods have for Services: beyond these, with Tailscale’s agent, its operator would give the same numbers
 * again. The kernel gives Pods those from 32768 on for their own connections, and tailscaled’s port may be one of them.
 */
export const ranges: Readonly<Record<'culvert' | 'upstream', Range>> = {
  culvert: { first: 10_000, last: 32_767 },
  upstream: { first: 10_000, last: 10_999 },
}

export const isIn = ({ first, last }: Range, port: number): boolean => port >= first && port <= last

/** Ports of Pods by ports of a Service. */
export type Allocated = ReadonlyMap<string, number>

/**
 * A port of the Pods for each of `wanted`: that of `present`, if it is in the range and nobody else has it, or a random
 * one, so that one that has just become free is not soon another Service’s.
 * @throws UserError `ConfigurationFailed` if there are not enough
 */
export function allocate(
  wanted: readonly string[],
  present: Allocated,
  used: ReadonlySet<number>,
  range: Range,
  random: () => number = Math.random,
): Allocated {
  const result = new Map<string, number>()
  const taken = new Set(used)
  for (const key of wanted) {
    const port = present.get(key)
    if (port === undefined || !isIn(range, port) || taken.has(port)) continue
    result.set(key, port)
    taken.add(port)
  }
  const missing = wanted.filter((key) => !result.has(key))
  if (missing.length === 0) return result
  const free: number[] = []
  for (let port = range.first; port <= range.last; port += 1) if (!taken.has(port)) free.push(port)
  if (free.length < missing.length)
    throw new UserError(
      'ConfigurationFailed',
      `the group has ${range.last - range.first + 1} ports, and not ${missing.length} of them are free`,
      'Use another ProxyGroup, or list fewer ports.',
    )
  for (const key of missing) {
    const at = Math.floor(random() * free.length)
    result.set(key, free[at]!)
    free[at] = free.at(-1)!
    free.pop()
  }
  return result
}
