import { acme } from '../agent/check/acme.ts'
import { apiServer } from '../agent/check/api-server.ts'
import { config } from '../agent/check/config.ts'
import { clock, control } from '../agent/check/control.ts'
import { dns } from '../agent/check/dns.ts'
import { firewall } from '../agent/check/firewall.ts'
import { forwarding } from '../agent/check/forwarding.ts'
import { mtu } from '../agent/check/mtu.ts'
import { offload } from '../agent/check/offload.ts'
import { overlap } from '../agent/check/overlap.ts'
import { paths } from '../agent/check/paths.ts'
import { rights } from '../agent/check/rights.ts'
import { running } from '../agent/check/running.ts'
import type { MadeFinding } from '../lib/declared-finding.ts'

type Declared = MadeFinding<string>['declared']
type Area = Readonly<Record<string, { readonly declared: Declared }>>

/** All findings, in the order in which they are told. */
const areas: readonly Area[] = [
  running,
  config,
  rights,
  firewall,
  forwarding,
  overlap,
  dns,
  control,
  clock,
  apiServer,
  acme,
  mtu,
  offload,
  paths,
]

/** Everything that is declared about each finding. */
export const declaredFindings: readonly Declared[] = areas.flatMap((area) =>
  Object.values(area).map(({ declared }) => declared),
)

const code = (text: string): string => `\`${text}\``
const cell = (text: string): string => text.replaceAll('|', '\\|')
const fromError = 'As the message says.'

const row = ({ id, level, text, meaning, remedy }: Declared): string => {
  const isOfError = remedy === '{remedy}' || (remedy === undefined && text.includes('{problem}'))
  const what = isOfError ? fromError : (remedy ?? '')
  return `| <a id="${id.replace('.', '-').toLowerCase()}"></a>${code(id)} | ${level} | ${code(cell(text))} | ${cell(meaning)} | ${cell(what)} |`
}

const table = (area: Area): string =>
  [
    '| id | level | finding | how it is found, and what it means | what to do |',
    '|---|---|---|---|---|',
    ...Object.values(area).map(({ declared }) => row(declared)),
  ].join('\n')

/** The text of docs/check.md, made from the declarations of all findings. A test compares the two. */
export function checkPage(): string {
  return `# The check

\`culvert check\` looks for what is wrong around an agent, and says what, how it was found, and what to do. This page lists its findings; it is generated from \`agent/check/\` by \`npm run format\`. For the cluster as a whole there is [the operator’s check](operator.md#is-everything-there).

\`\`\`sh
kubectl exec POD -- culvert check                                # beside the running agent
kubectl exec POD -- culvert check --transfer=100.64.0.9:5201     # and measure a transfer to a peer
culvert check --preflight --userspace=false --dest-ip=10.0.0.9   # before the start: no tailscaled is needed
\`\`\`

- **Beside the agent** it looks at what that was started with, by its environment and flags, whatever the shell has in which the check runs. If the system does not show these, as from another container or to another user, it takes its own environment.
- **Before the start** (\`--preflight\`) it takes its own environment, and the [flags](settings.md#flags) of \`culvert run\`.
- **A transfer** is only measured with \`--transfer\`: three seconds of zeros are sent to a program that reads them, such as \`nc -lk -p 5201 >/dev/null\` on that peer.
- **It changes nothing**: rules are tried under another name, and only before the start.
- **It takes a minute at most**, nearly all of it waiting for what does not answer; where all answers, five seconds or so. It can be interrupted at any time.

| exit code | |
|---|---|
| 0 | nothing is wrong |
| 1 | there is a warning or an error |
| 2 | the flags are wrong |

One line is one finding: its level, its id, and a sentence. With \`--json\`, it is an array of \`{check, level, message, remedy}\`, where \`check\` is the id. Ids, levels and these fields are stable; the words of messages are not.

| level | |
|---|---|
| \`ok\` | it is as it should be |
| \`unknown\` | it could not be found out, and nothing speaks for a fault. If nothing of an area could be looked at, the id is that of the area: \`unknown paths: not known: …\` |
| \`warning\` | it works, but not as well as it could, or not for long |
| \`error\` | something does not work |

As a health check of a container, only what gates traffic should count: that is \`culvert ready\`; Docker's can [show what the check finds](image.md#what-runs-in-it) when that fails. To have the check’s findings in the log of a Pod that does not become ready, run it as an init container with \`--preflight\`, and ignore its exit code:

\`\`\`yaml
initContainers:
  - name: check
    image: culvert     # with the environment, securityContext and volumes of the agent’s container
    command: [sh, -c, 'culvert check --preflight || true']
\`\`\`

## What is tried, and what is not

- **Paths are tried by real packets**: to backends by datagrams to a closed port, whose refusal is the answer; to peers by pings of tailscaled, which go the way of its packets. No rights are needed for either.
- **Faults of segmentation offload** are known by the release of the kernel, or measured. What loses such packets is mostly on the node, which a Pod cannot see.
- **Culvert’s tests** bring about for real: rights, devices and forwarding that are missing; a kernel without nf_tables; packets that are lost for their length, one by one or handed over together; UDP that does not get out; overlapping addresses and routes; resolvers, control servers and authorities that do not answer; programs that hang; a key that soon expires; a service account, or its rights on the Secret, that are missing; files that cannot be used. The others are judged from facts that a test has made up: above all a kernel with a known fault, a NAT that gives each destination another port, and a clock that is wrong.

## Findings

${areas.map(table).join('\n\n')}
`
}
