import { flagOf, type Variable } from '../settings/variable.ts'
import { variablesByUse } from '../settings/variables.ts'
import { type Command, type CommandName, commands } from './commands.ts'

const values = {
  text: 'TEXT',
  boolean: 'BOOLEAN',
  duration: 'DURATION',
  address: 'ADDRESS',
  addresses: 'ADDRESS[,ADDRESS]',
  'address and port': 'ADDRESS:PORT',
  words: 'WORDS',
  path: 'PATH',
} as const satisfies Record<Variable['type'], string>

/** All commands and settings. */
export const help = (): string => `Usage: culvert [COMMAND] [FLAG…]      (outside of the image: node agent.js)

Commands:
${list(Object.entries(commands).map(([name, { says }]) => [name, says]))}
${settings()}`

/** One command. */
export function helpOf(name: CommandName): string {
  const { says, flags, words }: Command = commands[name]
  if (name === 'run') return `Usage: culvert [run] [FLAG…]\n\n${settings()}`
  const rows = Object.entries(flags).map(([flag, { type, says: what }]): [string, string] => [
    type === 'boolean' ? `--${flag}` : `--${flag}=VALUE`,
    what,
  ])
  const own = rows.length === 0 ? '' : `\nFlags:\n${list(rows)}`
  const usage = [`culvert ${name}`, ...(words ? [words.join('|')] : []), ...rows.map(([flag]) => `[${flag}]`)]
  return `Usage: ${usage.join(' ')}\n\n${says}\n${own}`
}

function settings(): string {
  const groups = variablesByUse.map(({ use, variables }) => `${use}:\n${variables.map(entry).join('')}`)
  return `Settings, as flags of the agent or as variables of its environment. A flag goes before its variable, and the last
of the same flags wins: --flag=VALUE or --flag VALUE. A BOOLEAN is true or false, and true where the flag stands alone;
a DURATION is such as 60s or 1m30s; an address of IPv6 is in brackets before a port.

${groups.join('\n')}`
}

function entry({ name, type, secret, default: usual, effect }: Variable): string {
  const value = secret ? 'file:PATH' : values[type]
  const flag = type === 'boolean' ? `--${flagOf(name)}[=${value}]` : `--${flagOf(name)}=${value}`
  return `  ${flag}  (${name}${usual === undefined ? '' : `, default ${usual}`})\n      ${effect}\n`
}

function list(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('')
}
