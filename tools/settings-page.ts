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

The agent is configured by environment variables, the same as those of upstream's agent; each is also a flag:

\`\`\`sh
TS_USERSPACE=false TS_DEST_IP=10.0.0.9 culvert
culvert --userspace=false --dest-ip=10.0.0.9   # the same with flags; outside of the image: node dist/agent.js
\`\`\`

This page is generated from \`agent/settings/\` by \`npm run format\`.

- **boolean**: exactly \`1 t T TRUE true True 0 f F FALSE false False\`; any other value counts as the default, with a warning.
- **duration**: numbers with units, such as \`60s\` or \`1m30s\`.
- **address and port**: an IP address literal and a port, such as \`10.0.0.1:9002\` or \`[::]:9002\`. The brackets may be missing around an IPv6 address of the Pod itself, as in \`$(POD_IP):9002\`.
- **addresses**: IP addresses, separated by commas.
- **ports**: ports with their protocol, separated by commas: \`tcp/80\`, \`udp/53\`, \`tcp/8080:80\` (port 8080 of the node leads to port 80 of the backend), \`tcp/8000-8010\`.
- An empty value is the same as an unset variable, except for ${present.join(' and ')}.

A value that can never work ends the agent with exit code 1 before anything is started; the message names the variable, its value and what is accepted. tailscaled and tailscale get the whole environment, too. A variable that is not listed here has no effect on the agent; if it looks like a setting, [a warning](coming-from-tailscale.md#mistakes-and-what-the-agent-says) says what to write instead.

## Flags

\`\`\`yaml
# In the container; \`run\` can be left out
args: [run, --dest-ip=10.0.0.9, --userspace=false, --authkey=file:/run/secrets/authkey]
\`\`\`

The flag of a variable is its name without \`TS_\`, in lower case and with hyphens. \`culvert run --help\` lists all flags, and \`source <(culvert completion bash)\` makes the shell complete them; the same works for zsh and fish.

- Write \`--flag=value\` or \`--flag value\`. The value of a boolean must follow \`=\`; without a value it is true.
- A flag takes precedence over its variable, even if it is empty; the log names variables that have another value. If a flag is repeated, the last one counts.
- tailscaled and tailscale get the values of flags as variables. Messages name a setting as it was set: as a flag or as a variable.
- Secrets are only accepted as \`file:PATH\`, with the secret in that file, since arguments are visible to other processes. Any other value is refused without printing it, and so is a secret in \`--extra-args\`.
- An unknown flag, a flag without its value, or any other argument ends the agent with exit code 2 before anything is started; the message suggests the most similar flag.
- \`culvert status\`, \`ready\` and \`live\` need the same \`--culvert-socket\` as the agent. The variable is better for kubelet's probes: with the flag, each probe starts Node.

## All settings

${groups.join('\n\n')}

## Rules

The rules are checked in this order, and the first one that is broken is reported. Before them, the agent looks for a usable config file in \`TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR\`, and then checks \`POD_IPS\` and that file.

${rules.map(({ rule }) => `1. ${rule}`).join('\n')}
`
}
