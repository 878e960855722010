/** The known word that is most like another, if it differs from it by at most `most` letters. */
export function nearest(word: string, known: Iterable<string>, most: number): string | undefined {
  const near = [...known].map((one) => ({ one, letters: distance(one, word) })).filter(({ letters }) => letters <= most)
  return near.toSorted((one, other) => one.letters - other.letters)[0]?.one
}

/** How many letters must be changed, added or removed to make one of the other (Levenshtein). */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (const [at, letter] of Array.from(one).entries()) {
    const next = [at + 1]
    for (const [index, its] of Array.from(other).entries()) {
      next.push(Math.min(next[index]! + 1, row[index + 1]! + 1, row[index]! + Number(letter !== its)))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
