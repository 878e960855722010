import { isDeepStrictEqual } from 'node:util'

/**
 * A pure function of what `select` takes from its input, which is computed anew only when one of these has changed by
 * identity: for plans over large values, which are asked for after every change of anything. What comes out equal to the
 * last output is that one itself: whoever compares the two is spared to go through them.
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

/** A pure function of a value that does not change, computed once for each: what is known goes with the value. */
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
