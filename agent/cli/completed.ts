import { flagOf } from '../settings/variable.ts'
import { variables } from '../settings/variables.ts'
import { type Command, commands } from './commands.ts'

/** A flag, and what is completed after it. */
export type CompletedFlag = {
  readonly name: string
  readonly says: string
  readonly values: 'none' | 'boolean' | 'path' | 'file:PATH' | 'any'
}

type CompletedCommand = {
  readonly name: string
  readonly says: string
  readonly words: readonly string[]
  readonly flags: readonly CompletedFlag[]
}

const help: CompletedFlag = { name: 'help', says: 'what there is', values: 'none' }

const commandFlag = ([name, { type, says }]: [string, Command['flags'][string]]): CompletedFlag => ({
  name,
  says,
  values: type === 'boolean' ? 'none' : 'path',
})

function settings(): CompletedFlag[] {
  return variables.map(({ name, type, secret, effect }) => ({
    name: flagOf(name),
    says: plain(effect),
    values: secret === true ? 'file:PATH' : type === 'boolean' || type === 'path' ? type : 'any',
  }))
}

/** Without what is marked as code. */
function plain(text: string): string {
  return text.replaceAll('`', '')
}

/** What a shell completes: all commands. */
export const completed: readonly CompletedCommand[] = Object.entries(commands).map(
  ([name, { says, words = [], flags }]: [string, Command]) => ({
    name,
    says: plain(says),
    words,
    flags: [help, ...(name === 'run' ? settings() : Object.entries(flags).map(commandFlag))],
  }),
)
