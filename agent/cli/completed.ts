import { flagOf } from '../settings/variable.ts'
import { variables } from '../settings/variables.ts'
import { type Command, commands } from './commands.ts'

/** A flag, and how its value is completed. */
export type CompletedFlag = {
  readonly name: string
  readonly summary: string
  readonly values: 'none' | 'boolean' | 'path' | 'file:PATH' | 'any'
}

type CompletedCommand = {
  readonly name: string
  readonly summary: string
  readonly words: readonly string[]
  /** What its arguments are, if these are none of the words. */
  readonly positionals: readonly string[]
  readonly flags: readonly CompletedFlag[]
}

const help: CompletedFlag = { name: 'help', summary: 'show help', values: 'none' }

const commandFlag = ([name, flag]: [string, Command['flags'][string]]): CompletedFlag => ({
  name,
  summary: flag.summary,
  values: flag.type === 'boolean' ? 'none' : (flag.values ?? 'path'),
})

function settings(): CompletedFlag[] {
  return variables.map(({ name, type, secret, effect }) => ({
    name: flagOf(name),
    summary: plain(effect),
    values: secret === true ? 'file:PATH' : type === 'boolean' || type === 'path' ? type : 'any',
  }))
}

/** Without the marks of code. */
function plain(text: string): string {
  return text.replaceAll('`', '')
}

/** All commands, as shells complete them. */
export const completed: readonly CompletedCommand[] = Object.entries(commands).map(
  ([name, { summary, words = [], positionals = [], flags, settings: takesSettings }]: [string, Command]) => ({
    name,
    summary: plain(summary),
    words,
    positionals,
    flags: [
      help,
      ...Object.entries(flags).map(commandFlag),
      ...(name === 'run' || takesSettings === true ? settings().filter((one) => !(one.name in flags)) : []),
    ],
  }),
)
