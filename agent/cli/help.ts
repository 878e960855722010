import { flagOf, type Variable } from '../settings/variable.ts'
import { variablesByUse } from '../settings/variables.ts'
import { type Command, type CommandName, commands } from './commands.ts'

const values = {
  text: 'TEXT',
  boolean: 'BOOLEAN',
  duration: 'DURATION',
  address: 'ADDRESS',
  addresses: 'ADDRESS[,ADDRESS]',
  ports: 'PORT[,PORT]',
  'address and port': 'ADDRESS:PORT',
  words: 'WORDS',
  path: 'PATH',
} as const satisfies Record<Variable['type'], string>

/** All commands and settings. */
export const help = (): string => `Usage: culvert [COMMAND] [FLAG…]      (outside of the image: node agent.js)

Commands:
${list(Object.entries(commands).map(([name, { summary }]) => [name, summary]))}
${settings()}`

/** One command. */
export function helpOf(name: CommandName): string {
  const {
    summary,
    flags,
    words,
    settings: takesSettings,
    positionals = words === undefined ? [] : [words.join('|')],
  }: Command = commands[name]
  if (name === 'run') return `Usage: culvert [run] [FLAG…]\n\n${settings()}`
  const rows = Object.entries(flags).map(([flag, { type, summary: what }]): [string, string] => [
    type === 'boolean' ? `--${flag}` : `--${flag}=VALUE`,
    what,
  ])
  const own = rows.length === 0 ? '' : `\nFlags:\n${list(rows)}`
  const usage = [`culvert ${name}`, ...positionals, ...rows.map(([flag]) => `[${flag}]`)]
  const others =
    takesSettings === true ? '\nAlso the flags of `culvert run` with which the agent will be started.\n' : ''
  return `Usage: ${usage.join(' ')}\n\n${summary}\n${own}${others}`
}

function settings(): string {
  const groups = variablesByUse.map(({ use, variables }) => `${use}:\n${variables.map(entry).join('')}`)
  return `Settings, as flags of the agent (--flag=VALUE or --flag VALUE) or as environment variables. A flag takes precedence over
its variable; if a flag is repeated, the last one counts. A BOOLEAN is true or false; without a value it is true.
A DURATION is, for example, 60s or 1m30s. Before a port, an IPv6 address is in brackets.

${groups.join('\n')}`
}

function entry({ name, type, secret, default: fallback, effect }: Variable): string {
  const value = secret ? 'file:PATH' : values[type]
  const flag = type === 'boolean' ? `--${flagOf(name)}[=${value}]` : `--${flagOf(name)}=${value}`
  return `  ${flag}  (${name}${fallback === undefined ? '' : `, default ${fallback}`})\n      ${effect}\n`
}

function list(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('')
}
