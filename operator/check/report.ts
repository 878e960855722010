import { CulvertError, describe } from '../../lib/errors.ts'
import { type Flags, type FlagType, type Given, parseFlags } from '../../lib/flags.ts'

/** A command that looks, changes nothing, and prints what it has found. */
export type Reporting = {
  readonly name: string
  readonly help: string
  /** Besides --json and --help. */
  readonly flags?: readonly (readonly [name: string, type: FlagType])[]
  /** Looks, given the flags that are set, with their values. @throws CulvertError `usage` for those that do not fit */
  readonly look: (given: ReadonlyMap<string, string>) => Promise<Report>
}

export type Report = {
  /** What is printed with --json. */
  readonly json: unknown
  readonly lines: readonly string[]
  readonly hasErrors: boolean
}

/** A long answer goes into a pipe in several writes, which must end before the process does. */
const toStandardOutput = (text: string): Promise<void> =>
  new Promise((resolve) => process.stdout.write(text, () => resolve()))

/** Runs such a command. Exit codes: 0 without errors, 1 with errors, 2 for wrong usage, told by `write`. */
export async function report(
  { name, help, flags = [], look }: Reporting,
  args: readonly string[],
  write: (text: string) => void,
  print = toStandardOutput,
): Promise<0 | 1 | 2> {
  const known: Flags = new Map([...flags, ['json', 'boolean'], ['help', 'boolean']])
  try {
    const all = parseFlags(args, known)
    const isSet = (flag: Given): boolean => known.get(flag.name) === 'value' || flag.value === 'true'
    const given = new Map(all.filter(isSet).map((flag) => [flag.name, flag.value]))
    if (given.has('help')) {
      await print(help)
      return 0
    }
    const { json, lines, hasErrors } = await look(given)
    await print(given.has('json') ? `${JSON.stringify(json, null, 2)}\n` : `${lines.join('\n')}\n`)
    return hasErrors ? 1 : 0
  } catch (error) {
    if (!(error instanceof CulvertError && error.code === 'usage')) throw error
    write(`culvert-operator ${name}: ${describe(error)}\n`)
    return 2
  }
}
