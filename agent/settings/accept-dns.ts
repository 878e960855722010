import { parseBool } from '../../lib/go-values.ts'

/**
 * Takes `--accept-dns` out of the words of TS_EXTRA_ARGS: the first word that starts with it is removed and overrides
 * TS_ACCEPT_DNS; without a value it means true. One with an invalid boolean stays, with a warning.
 */
export function takeAcceptDns(
  words: readonly string[],
  fromVariable: boolean,
): { readonly acceptDns: boolean; readonly extraArgs: readonly string[]; readonly warnings: readonly string[] } {
  const index = words.findIndex((word) => word.startsWith('--accept-dns'))
  const word = words[index]
  if (word === undefined) return { acceptDns: fromVariable, extraArgs: words, warnings: [] }
  const value = word === '--accept-dns' ? true : parseBool(word.slice('--accept-dns='.length))
  if (value === undefined || !(word === '--accept-dns' || word.startsWith('--accept-dns='))) {
    const warning = `TS_EXTRA_ARGS: ${word} has no boolean value and is passed on as it is`
    return { acceptDns: fromVariable, extraArgs: words, warnings: [warning] }
  }
  return { acceptDns: value, extraArgs: words.toSpliced(index, 1), warnings: [] }
}
