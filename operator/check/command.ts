import { connect } from '../../kube/controller/cluster.ts'
import { describe } from '../../lib/errors.ts'
import { type Flags, parseFlags } from '../../lib/flags.ts'
import { tailscaleApi } from '../api/client.ts'
import { type Process, readSettings } from '../run.ts'
import { lineOf } from './finding.ts'
import { gather } from './gather.ts'
import { judge } from './judge.ts'

/** All checks together, in milliseconds; a call of either API gives up in half of that. */
const longest = 60_000

const flags: Flags = new Map([
  ['json', 'boolean'],
  ['help', 'boolean'],
])

const help = `Usage: culvert-operator check [--json]

Looks at the cluster and the tailnet with the operator's settings and credentials,
and changes nothing: an auth key is made for the check, and removed at once.
One line for each finding: ok, warning or error, and what to do.

  --json   print the findings as JSON: check, level, message, remedy
  --help   print this

Exit codes: 0 without errors, 1 with errors, 2 for wrong usage.
`

/** A long answer goes into a pipe in several writes, which must end before the process does. */
const toStandardOutput = (text: string): Promise<void> =>
  new Promise((resolve) => process.stdout.write(text, () => resolve()))

/** Checks what the operator needs, and prints the findings. */
export async function runCheck(
  args: readonly string[],
  { env, write, clock, version }: Pick<Process, 'env' | 'write' | 'clock' | 'version'>,
  print = toStandardOutput,
): Promise<0 | 1 | 2> {
  let given: ReadonlySet<string>
  try {
    given = new Set(parseFlags(args, flags).flatMap(({ name, value }) => (value === 'true' ? [name] : [])))
  } catch (error) {
    write(`culvert-operator check: ${describe(error)}\n`)
    return 2
  }
  if (given.has('help')) {
    await print(help)
    return 0
  }
  const sources = {
    settings: () => readSettings(env, version),
    connect: () => connect('default'),
    tailnet: ({ settings, process }: Awaited<ReturnType<typeof readSettings>>) =>
      tailscaleApi(settings.loginServer, process.credentials, clock),
  }
  const findings = judge(await gather(sources, clock.timeout(longest)))
  await print(given.has('json') ? `${JSON.stringify(findings, null, 2)}\n` : `${findings.map(lineOf).join('\n')}\n`)
  return findings.some(({ level }) => level === 'error') ? 1 : 0
}
