import { aborted } from './timers.ts'

/** What was found out, or the error because of which it could not be. */
export type Fact<T> = { readonly value: T } | { readonly error: unknown }

/** Finds something out, until `signal` aborts. Never rejects. */
export async function factOf<T>(signal: AbortSignal, find: () => Promise<T>): Promise<Fact<T>> {
  // Also what does not heed the signal must not hold up the others.
  const late = aborted(signal).then(() => Promise.reject(new Error('it took too long')))
  try {
    return { value: await Promise.race([find(), late]) }
  } catch (error) {
    return { error }
  }
}

/** The value of a fact; undefined if it is not known. */
export const valueOf = <T>(fact: Fact<T>): T | undefined => ('value' in fact ? fact.value : undefined)
