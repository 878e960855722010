import { logged as certificate } from '../agent/certificates/log-events.ts'
import { events as config } from '../agent/device-config/log-events.ts'
import { events as endpoints } from '../agent/endpoints/log-events.ts'
import { events as figures } from '../agent/figures/log-events.ts'
import { events as forwarding } from '../agent/forwarding/log-events.ts'
import { events as start, stopping } from '../agent/lifecycle/log-events.ts'
import { events as agent } from '../agent/log-events.ts'
import { events as file } from '../agent/mounted/log-events.ts'
import { events as preshutdown } from '../agent/preshutdown/log-events.ts'
import { events as relay } from '../agent/relay/log-events.ts'
import { events as serve } from '../agent/serve/log-events.ts'
import { events as stateSecret } from '../agent/state-secret/log-events.ts'
import { events as tailscaled, login } from '../agent/tailscaled/log-events.ts'
import { events as target } from '../agent/targets/log-events.ts'
import { reconciling, working } from '../agent/world/log-events.ts'
import { events as apiserver } from '../apiserver/log-events.ts'
import type { Made } from '../lib/log-event.ts'
import { foldMs } from '../lib/log-fold.ts'
import { processEvents } from '../lib/process-events.ts'
import { events as firewall } from '../netfilter/log-events.ts'
import { cleaning, events as operator } from '../operator/log-events.ts'
import { events as recorder } from '../recorder/log-events.ts'

type Declared = Made<string>['declared']
type Room = Readonly<Record<string, { readonly declared: Declared }>>

/** All events, by the program and then by what they are about. */
const programs: readonly { readonly name: string; readonly rooms: readonly Room[] }[] = [
  { name: 'Every program', rooms: [processEvents] },
  {
    name: 'The agent',
    rooms: [
      agent,
      start,
      login,
      tailscaled,
      firewall,
      forwarding,
      figures,
      relay,
      target,
      serve,
      certificate,
      stateSecret,
      config,
      file,
      reconciling,
      working,
      endpoints,
      preshutdown,
      stopping,
    ],
  },
  { name: 'The operator', rooms: [operator, cleaning] },
  { name: 'The API server proxy', rooms: [apiserver] },
  { name: 'The recorder', rooms: [recorder] },
]

/** Everything that is declared about each event. */
export const declaredEvents: readonly Declared[] = programs.flatMap(({ rooms }) =>
  rooms.flatMap((room) => Object.values(room).map(({ declared }) => declared)),
)

const code = (text: string): string => (text.includes('`') ? `\`\` ${text} \`\`` : `\`${text}\``)

const row = ({ name, level, text, awaited, meaning, remedy }: Declared): string =>
  `| \`${name}\` | ${level}${awaited ? ', awaited' : ''} | ${code(text)} | ${meaning} | ${remedy ?? ''} |`

const table = (room: Room): string =>
  [
    '| event | level | line | what has happened | what to do |',
    '|---|---|---|---|---|',
    ...Object.values(room).map(({ declared }) => row(declared)),
  ].join('\n')

const sections = programs.map(({ name, rooms }) => `## ${name}\n\n${rooms.map(table).join('\n\n')}\n`)

/** The text of docs/log.md, made from the declarations of all events. A test compares the two. */
export function logPage(): string {
  return `# The log

What the programs of Culvert log, with the name, meaning and remedy of each event. This page is generated from the files \`log-events.ts\` by \`npm run format\`.

Every program writes to the standard error, one event a line. [\`CULVERT_LOG_FORMAT\`](settings.md#log) chooses the form:

\`\`\`
boot: 2026/11/30 09:15:02 warning: no answer within 5 s, so that connections to these may hang: 100.64.0.9
{"time":"2026-11-30T09:15:02.417Z","level":"warn","source":"agent","event":"forwarding.silent","msg":"no answer within 5 s, so that connections to these may hang: 100.64.0.9","seconds":5,"addresses":"100.64.0.9"}
\`\`\`

| form | |
|---|---|
| \`text\` | the default, and the form of upstream’s agent, whose lines [scripts wait for](contract.md#log-lines-that-scripts-wait-for); local time |
| \`json\` | a document a line, for log collectors: \`time\` (UTC), \`level\`, \`source\` (\`agent\`, \`tailscaled\`, \`operator\`, \`apiserver\`), \`event\`, \`msg\` (the line of the text without \`warning:\` and \`error:\`), and the fields that the tables below have in braces |

- **Names and fields are stable**: alert on \`event\`, not on words of \`msg\`. \`problem\` has message, cause and remedy of an error. There are never secrets in it.
- **tailscaled’s lines** are between the agent’s. In text they are as tailscaled writes them; in JSON they have the \`source\` \`tailscaled\`, and its time is left out. tailscaled limits repeats by itself, so each is told, in order.
- **Repeats**: where a state lasts or comes and goes, its line is told when it changes, in both forms. In JSON, an event that says the same again within ${foldMs / 1000} seconds is held back besides, and told once when these are over, with \`repeated\`: how often it came since the line before. Nothing is held back in text, nor of the lines that scripts wait for.
- **Not in this form** are the [audit lines](apiserver-proxy.md#what-is-going-on) of the API server proxy, which have one of their own and go to the standard output; what commands such as \`culvert status\` say; and the last words of Node itself, such as when memory is used up.

\`\`\`sh
kubectl logs POD | jq 'select(.level == "warn" or .level == "error") | {time, event, msg}' --compact-output
\`\`\`

## Where to set it

As an environment variable of the program, or as a flag of the agent (\`--culvert-log-format=json\`). A word that is not accepted ends the program, with a message that names it.

\`\`\`yaml
# values of the chart: for the operator
operatorConfig:
  extraEnv:
    - { name: CULVERT_LOG_FORMAT, value: json }
---
# for the proxies that the operator makes
apiVersion: tailscale.com/v1alpha1
kind: ProxyClass
metadata: { name: json-log }
spec:
  statefulSet:
    pod:
      tailscaleContainer:
        env:
          - { name: CULVERT_LOG_FORMAT, value: json }
\`\`\`

The chart’s \`proxyConfig.defaultProxyClass\` makes a ProxyClass that of all proxies. Tailscale’s agent ignores the variables.

## Levels

\`CULVERT_LOG_LEVEL\` chooses what is logged: that level, and all that matter more.

| level | |
|---|---|
| \`error\` | the program ends, or there is a bug, or work of the operator fails |
| \`warn\` | something is not as it should be; the rest goes on |
| \`info\` | the default: what changes |
| \`debug\` | also each write of the operator; \`OPERATOR_LOGGING=debug\` does the same |

Lines that scripts wait for, marked *awaited* below, are logged at every level. In text, the level concerns the agent’s own lines and not tailscaled’s.

${sections.join('\n')}`
}
