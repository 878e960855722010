/** The name of a flag, without its value. */
export const flagName = (word: string): string => word.replace(/^--?/, '').replace(/=.*/s, '')

/**
 * The value of a flag that is not boolean, parsed like Go's package flag: with one hyphen or two, after `=` or as the
 * next word; the last one counts. Undefined without the flag, empty without a value.
 */
export function flagValue(words: readonly string[], name: string): string | undefined {
  let found: string | undefined
  for (let index = 0; index < words.length; index += 1) {
    const [flag = '', ...rest] = (words[index] ?? '').split('=')
    if (flag !== `-${name}` && flag !== `--${name}`) continue
    if (rest.length === 0) index += 1
    found = rest.length > 0 ? rest.join('=') : (words[index] ?? '')
  }
  return found
}
