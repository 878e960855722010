/**
 * A pure function of what `select` takes from its input, which is computed anew only when one of these has changed by
 * identity: for plans over large values, which are asked for after every change of anything.
 */
export function memo<Input, Output>(
  select: (input: Input) => readonly unknown[],
  compute: (input: Input) => Output,
): (input: Input) => Output {
  let known: { readonly parts: readonly unknown[]; readonly output: Output } | undefined
  return (input) => {
    const parts = select(input)
    if (known === undefined || parts.some((part, index) => part !== known?.parts[index])) {
      known = { parts, output: compute(input) }
    }
    return known.output
  }
}
