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

/** The command was called wrongly: exit code 2. */
export class UsageError extends Error {}

/** `parseArgs` whose complaints are UsageErrors. */
export function parse<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config)
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

/** The option that every verb about a bed has, and what it is without it. */
export const nameOption = { name: { type: 'string', default: 'lab' } } as const
export const nameHelp = '  --name NAME   which bed; "lab" when left out'

/** Runs a program's body; ends the process with its code, 1 on failure and 2 on wrong usage. */
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
