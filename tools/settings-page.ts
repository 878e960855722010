import { rules } from '../agent/settings/rules.ts'
import { flagOf, type Variable } from '../agent/settings/variable.ts'
import { variables, variablesByUse } from '../agent/settings/variables.ts'

const row = ({ name, type, secret, default: value, effect }: Variable): string =>
  `| \`${name}\` | \`--${flagOf(name)}${secret ? '=file:PATH' : ''}\` | ${type} | ${value === undefined ? '' : `\`${value}\``} | ${effect} |`

const table = (rows: readonly Variable[]): string =>
  ['| variable | flag | type | default | effect |', '|---|---|---|---|---|', ...rows.map(row)].join('\n')

const groups = variablesByUse.map(({ use, variables: all }) => `### ${use}\n\n${table(all)}`)

/** The text of docs/settings.md, generated from the list of variables and their rules. A test compares the two. */
export function settingsPage(): string {
  const present = variables.filter(({ presence }) => presence === true).map(({ name }) => `\`${name}\``)
  return `# Settings

The agent is set by environment variables, the same as upstream's agent; each is a flag, too. This page is made from \`agent/settings/\` by \`npm run format\`.

- **boolean**: exactly \`1 t T TRUE true True 0 f F FALSE false False\`; anything else is the default, with a warning.
- **duration**: numbers with units, such as \`60s\` or \`1m30s\`.
- **address and port**: an IP address literal and a port, such as \`10.0.0.1:9002\` or \`[::]:9002\`. An IPv6 address of the Pod itself, as \`$(POD_IP):9002\` gives it, may lack the brackets.
- **addresses**: IP addresses, separated by commas.
- An empty value is the same as none, but for ${present.join(' and ')}.

A value that can never work ends the agent with exit code 1 before anything is started; the message names the variable, its value and what is accepted. tailscaled and tailscale get the whole environment, too. A variable that is not listed here has no effect on the agent; if it looks like a setting, [a warning](coming-from-tailscale.md#mistakes-and-what-the-agent-says) says what to write instead.

## Flags

\`\`\`yaml
# Of the container, or without \`run\`
args: [run, --dest-ip=10.0.0.9, --userspace=false, --authkey=file:/run/secrets/authkey]
\`\`\`

The flag of a variable is its name without \`TS_\`, in small letters and with hyphens. \`culvert run --help\` lists all, and \`source <(culvert completion bash)\` completes them, likewise for zsh and fish.

- \`--flag=value\` or \`--flag value\`. A boolean takes its value after \`=\`, and is true without one.
- A flag goes before its variable, also when it is empty; the log names variables that are hidden by another value. Of the same flags the last wins.
- tailscaled and tailscale get what flags set as variables. Messages name a setting as it was set.
- Secrets are given as \`file:PATH\` alone, since everybody sees arguments: the file has the secret. Another value is refused without showing it, as is a secret within \`--extra-args\`.
- A flag that there is not, one without its value and any other argument end the agent with exit code 2 before anything is started; the message has the most similar flag.
- \`culvert status\`, \`ready\` and \`live\` find an agent with \`--culvert-socket\` by the same flag. The variable spares kubelet's probes the start of Node, which they need for the flag.

## All settings

${groups.join('\n\n')}


## What must hold

In this order; the first that is broken is reported. Before these, there must be a usable config file in \`TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR\`, then \`POD_IPS\` and that file must be valid.

${rules.map(({ rule }) => `1. ${rule}`).join('\n')}
`
}
