import { CulvertError } from '../../../lib/errors.ts'
import { parseArgs, type ParseArgsConfig } from 'node:util'

/** One of the lab's commands. */
export type Verb = {
  readonly name: string
  /** What it does, in a few words. */
  readonly summary: string
  /** What `--help` prints. */
  readonly help: string
  /** Returns the exit code. */
  readonly run: (args: readonly string[]) => Promise<number>
}

/** The command was used wrongly: exit code 2. */
export class UsageError extends Error {}

/** `parseArgs`, with its errors as UsageErrors. */
export function parse<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config)
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

/** The option of every command about a bed, with its default. */
export const nameOption = { name: { type: 'string', default: 'lab' } } as const
export const nameHelp = '  --name NAME   which bed; "lab" when left out'

/** Runs the body of a program; sets the exit code to its result, 1 on failure and 2 on wrong usage. */
export async function main(
  program: string,
  body: () => Promise<number>,
  describe: (error: unknown) => string,
): Promise<void> {
  try {
    process.exitCode = await body()
  } catch (error) {
    const usage = error instanceof UsageError || (error instanceof CulvertError && error.code === 'settings')
    const hint = usage ? `\nSee \`${program} --help\`.` : ''
    for (const line of `${describe(error)}${hint}`.split('\n')) console.error(`culvert: ${line}`)
    process.exitCode = usage ? 2 : 1
  }
}
