import { lookup, type LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'

/** What Node names in errors of the system's resolver. */
const syscall = 'getaddrinfo'

/** Whether a connection failed since a name was not found. */
export const isNotFound = (error: unknown): boolean =>
  error instanceof Error && 'syscall' in error && error.syscall === syscall

type Answer = (error: NodeJS.ErrnoException | null, found: LookupAddress[]) => void

/**
 * A lookup by the system's resolver that gives up after `ms` milliseconds: the resolver itself takes up to a minute when
 * no name server answers. Its thread is busy until then, so that others may have to wait and the process cannot exit:
 * those who ask for the name meanwhile share the answer.
 */
export function limitedLookup(ms: number): LookupFunction {
  const asked = new Map<string, Answer[]>()
  return (name, options, done) => {
    let isOver = false
    const answer: Answer = (error, found) => {
      if (isOver) return
      isOver = true
      clearTimeout(timer)
      if (error !== null || options.all === true) done(error, found)
      else done(null, found[0]?.address ?? '', found[0]?.family)
    }
    const late = Object.assign(new Error(`no answer for ${name} within ${ms / 1000} s`), { syscall })
    const timer = setTimeout(() => answer(late, []), ms)
    const others = asked.get(name)
    if (others !== undefined) {
      others.push(answer)
      return
    }
    const all = [answer]
    asked.set(name, all)
    lookup(name, { ...options, all: true }, (error, found) => {
      asked.delete(name)
      for (const one of all) one(error, found)
    })
  }
}
