import { isDeepStrictEqual } from 'node:util'

/**
 * A pure function of the parts that `select` takes from its input, recomputed only when one of them changes by
 * identity: for plans over large values, which are needed after every change of World. A result that equals the last
 * one is replaced by that, so that later comparisons are quick.
 */
export function memo<Input, Output>(
  select: (input: Input) => readonly unknown[],
  compute: (input: Input) => Output,
): (input: Input) => Output {
  let known: { readonly parts: readonly unknown[]; readonly output: Output } | undefined
  return (input) => {
    const parts = select(input)
    if (known === undefined || parts.some((part, index) => part !== known?.parts[index])) {
      const output = compute(input)
      known = { parts, output: known !== undefined && isDeepStrictEqual(known.output, output) ? known.output : output }
    }
    return known.output
  }
}

/** A pure function of an immutable value, computed once per value; the result is kept as long as the value. */
export function memoOf<Value extends WeakKey, Output>(compute: (value: Value) => Output): (value: Value) => Output {
  const known = new WeakMap<Value, { readonly output: Output }>()
  return (value) => {
    let found = known.get(value)
    if (found === undefined) {
      found = { output: compute(value) }
      known.set(value, found)
    }
    return found.output
  }
}
