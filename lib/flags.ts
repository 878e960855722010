import { parseArgs } from 'node:util'
import { CulvertError } from './errors.ts'
import { nearest } from './nearest.ts'

/** A boolean flag without a value is `true`; any other flag needs a value, which may be empty after "=". */
export type FlagType = 'boolean' | 'value'
export type Flags = ReadonlyMap<string, FlagType>

export type Given = { readonly name: string; readonly value: string }

/**
 * Reads `--name=value` and `--name value`, in the order of `args`; names are without their hyphens. `suggest` returns
 * what to write instead of an unknown flag. Arguments that are no flags may be there, in the order of their names in
 * `positionals`.
 * @throws CulvertError `usage` for anything else. It contains names only, since a value may be a secret.
 */
export function parseFlags(
  args: readonly string[],
  known: Flags,
  suggest = (name: string): string | undefined => nearestFlag(name, known),
  positionals: readonly string[] = [],
): Given[] {
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries([...known].map(([name, type]) => [name, { type: type === 'value' ? 'string' : type }])),
    allowPositionals: true,
    strict: false,
    tokens: true,
  })
  let before: string | undefined
  const awaited = [...positionals]
  return tokens.flatMap((token): Given[] => {
    if (token.kind === 'option-terminator') return []
    if (token.kind === 'positional') {
      const next = awaited.shift()
      if (next === undefined) throw misplaced(token.value, before, known)
      before = next
      return [{ name: before, value: token.value }]
    }
    const { name, value, inlineValue } = token
    const type = known.get(name)
    if (type === undefined) {
      // `parseArgs` splits an argument with one hyphen into letters.
      throw unknown(args[token.index]!, known, suggest)
    }
    if (type === 'value' && (value === undefined || (!inlineValue && value.startsWith('-')))) {
      throw new CulvertError('usage', `--${name} has no value: write --${name}=VALUE`)
    }
    before = name
    return [{ name, value: value ?? 'true' }]
  })
}

/** The flag with the most similar name. */
export function nearestFlag(name: string, known: Flags): string | undefined {
  const found = nearest(name, known.keys(), Math.min(3, Math.ceil(name.length / 3)))
  return found && `--${found}`
}

/** Dashes by which text editors and web pages replace hyphens. */
const otherDash = /[\u2010-\u2015\u2212\uFF0D]/
const pasted = (): CulvertError =>
  new CulvertError('usage', 'a flag is written with a dash that is no hyphen, as pasted from a web page: type "-"')

/**
 * The error for an argument that sets no known flag. What follows the name may be a secret, whatever separates the two.
 */
function unknown(arg: string, known: Flags, suggest: (name: string) => string | undefined): CulvertError {
  if (otherDash.test(arg.replace(/=.*/s, ''))) return pasted()
  const [written] = /^-+[\w-]{0,60}/.exec(arg)!
  const name = written.replace(/^-+/, '')
  if (written !== `--${name}` || !known.has(name)) return absent(`flag ${written}`, suggest(name))
  return new CulvertError('usage', `--${name} has something else than "=" behind it: write --${name}=VALUE`)
}

/**
 * The error for a first argument that is not a command. It may be a secret: only what looks like a command is repeated.
 */
export function absentCommand(name: string, commands: Iterable<string>): CulvertError {
  if (otherDash.test(name)) return pasted()
  if (/^[a-z-]{0,20}$/i.test(name)) return absent(`command ${name}`, nearest(name, commands, 2))
  return new CulvertError('usage', 'the first argument is neither a command nor a flag', { remedy: lists })
}

const lists = '`--help` lists what there is.'

/** The error for an unknown flag or command; `write` is what may have been meant. */
const absent = (what: string, write: string | undefined): CulvertError =>
  write === undefined
    ? new CulvertError('usage', `there is no ${what}`, { remedy: lists })
    : new CulvertError('usage', `there is no ${what}: did you mean ${write}?`)

/** The error for an argument that is neither a flag nor the value of one. */
function misplaced(arg: string, before: string | undefined, known: Flags): CulvertError {
  if (otherDash.test(arg.slice(0, 1))) return pasted()
  if (before === undefined) return new CulvertError('usage', 'the first argument is not a flag: flags begin with "--"')
  if (!known.has(before)) return new CulvertError('usage', `there is more than one ${before}`)
  const remedy =
    known.get(before) === 'boolean'
      ? `a flag that is on or off takes its value after "=", as in --${before}=false`
      : 'quote a value that has spaces in it'
  return new CulvertError('usage', `the argument after --${before} is not a flag: ${remedy}`)
}
