import { type Variable, variables } from '../agent/settings/variables.ts'

const row = ({ name, type, default: value, effect }: Variable): string =>
  `| \`${name}\` | ${type} | ${value === undefined ? '' : `\`${value}\``} | ${effect} |`

const table = (rows: readonly Variable[]): string =>
  ['| variable | type | default | effect |', '|---|---|---|---|', ...rows.map(row)].join('\n')

/** The text of docs/settings.md, made from the one list of variables. A test compares the two. */
export function settingsPage(): string {
  const all: readonly Variable[] = variables
  return `# Settings

The agent is set by environment variables, the same as upstream's agent. This page is made from \`agent/settings/variables.ts\` by \`npm run format\`.

- **boolean**: exactly \`1 t T TRUE true True 0 f F FALSE false False\`; anything else is the default.
- **duration**: numbers with units, such as \`60s\` or \`1m30s\`.
- **address and port**: an IP address literal and a port, such as \`10.0.0.1:9002\` or \`[::]:9002\`.
- **addresses**: IP addresses, separated by a comma.
- An empty value is the same as none, but for \`TS_ROUTES\`, \`TS_KUBE_SECRET\` and \`POD_IPS\`.

A value that can never work ends the agent with exit code 1 before anything is started; the message names the variable, its value and what is accepted. tailscaled and tailscale get the whole environment, too.

${table(all.filter(({ unavailable }) => unavailable !== true))}

## Not available yet

These ask for something that this version does not have, and are refused by name when they are set:

${table(all.filter(({ unavailable }) => unavailable === true))}
`
}
