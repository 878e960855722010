import { rules } from '../agent/settings/rules.ts'
import { type Variable, variables } from '../agent/settings/variables.ts'

const row = ({ name, type, default: value, effect }: Variable): string =>
  `| \`${name}\` | ${type} | ${value === undefined ? '' : `\`${value}\``} | ${effect} |`

const table = (rows: readonly Variable[]): string =>
  ['| variable | type | default | effect |', '|---|---|---|---|', ...rows.map(row)].join('\n')

/** The text of docs/settings.md, generated from the list of variables and their rules. A test compares the two. */
export function settingsPage(): string {
  const all: readonly Variable[] = variables
  const present = all.filter(({ presence }) => presence === true).map(({ name }) => `\`${name}\``)
  return `# Settings

The agent is set by environment variables, the same as upstream's agent. This page is made from \`agent/settings/\` by \`npm run format\`.

- **boolean**: exactly \`1 t T TRUE true True 0 f F FALSE false False\`; anything else is the default, with a warning.
- **duration**: numbers with units, such as \`60s\` or \`1m30s\`.
- **address and port**: an IP address literal and a port, such as \`10.0.0.1:9002\` or \`[::]:9002\`. An IPv6 address of the Pod itself, as \`$(POD_IP):9002\` gives it, may lack the brackets.
- **addresses**: IP addresses, separated by commas.
- An empty value is the same as none, but for ${present.join(' and ')}.

A value that can never work ends the agent with exit code 1 before anything is started; the message names the variable, its value and what is accepted. tailscaled and tailscale get the whole environment, too. A variable that is not listed here means nothing to the agent.

${table(all)}

## What must hold

In this order; the first that is broken is reported. Before these, there must be a usable config file in \`TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR\`, then \`POD_IPS\` and that file must be valid.

${rules.map(({ says }) => `1. ${says}`).join('\n')}
`
}
