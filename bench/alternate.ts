/**
 * Measures each of `names` in turn, `repeats` times; the first one changes with each repeat, so that a drift of the
 * machine favours none. The n-th values of all names belong together.
 */
export async function alternate<Name extends string, Value>(
  names: readonly Name[],
  repeats: number,
  measure: (name: Name, repeat: number) => Promise<Value>,
): Promise<Record<Name, Value[]>> {
  const measured = Object.fromEntries(names.map((name) => [name, [] as Value[]])) as Record<Name, Value[]>
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    const order = repeat % 2 === 0 ? names : names.toReversed()
    for (const name of order) measured[name].push(await measure(name, repeat))
  }
  return measured
}
