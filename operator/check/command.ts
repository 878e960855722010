import { connect } from '../../kube/controller/cluster.ts'
import { tailscaleApi } from '../api/client.ts'
import type { Process } from '../../lib/process.ts'
import { readSettings } from '../run.ts'
import { hasErrors, lineOf } from '../../lib/finding.ts'
import { gather } from './gather.ts'
import { judge } from './judge.ts'
import { report } from './report.ts'

/** All checks together, in milliseconds; a call of either API gives up in half of that. */
const longest = 60_000

const help = `Usage: culvert-operator check [--json]

Looks at the cluster and the tailnet with the operator's settings and credentials,
and changes nothing: an auth key is made for the check, and removed at once.
One line for each finding: ok, warning or error, and what to do.

  --json   print the findings as JSON: check, level, message, remedy
  --help   print this

Exit codes: 0 without errors, 1 with errors, 2 for wrong usage.
`

/** Checks what the operator needs, and prints the findings. */
export const runCheck = (
  args: readonly string[],
  { env, write, clock, version }: Pick<Process, 'env' | 'write' | 'clock' | 'version'>,
  print?: (text: string) => Promise<void>,
): Promise<0 | 1 | 2> =>
  report(
    {
      name: 'check',
      help,
      look: async () => {
        const sources = {
          settings: () => readSettings(env, version),
          connect: () => connect('default'),
          tailnet: ({ settings, process }: Awaited<ReturnType<typeof readSettings>>) =>
            tailscaleApi(settings.loginServer, process.credentials, clock),
        }
        const findings = judge(await gather(sources, clock.timeout(longest)))
        return { json: findings, lines: findings.map(lineOf), hasErrors: hasErrors(findings) }
      },
    },
    args,
    write,
    print,
  )
