import { connect } from '../../kube/controller/cluster.ts'
import { CulvertError } from '../../lib/errors.ts'
import { tailscaleApi } from '../api/client.ts'
import { judgeSettings } from '../check/cluster.ts'
import { hasErrors, lineOf } from '../../lib/finding.ts'
import { report } from '../check/report.ts'
import type { Process } from '../../lib/process.ts'
import { readSettings } from '../run.ts'
import { lineOfChange } from './change.ts'
import { migration, withoutLook } from './look.ts'

/** All of it, in milliseconds: each object is tried one after the other. */
const longest = 600_000

const help = `Usage: culvert-operator migrate --dry-run [--json]

Says what this operator would change if it took over from Tailscale's now, and changes nothing: the API server tries
each write and keeps none, and Tailscale's API is only read. It has the settings of the operator, and its rights or
more: it also lists Deployments. Run it once Tailscale's operator is stopped, and before this one is started.
One line for each finding (ok, warning or error, and what to do), and one for each object that would change.

  --dry-run  there is no other way: the operator itself takes over, when it is started
  --json     print the findings and the changes as JSON
  --help     print this

Exit codes: 0 without errors, 1 if something speaks against it, 2 for wrong usage.
`

/** Rehearses the takeover from Tailscale's operator, and prints what it would change. */
export const runMigrate = (
  args: readonly string[],
  { env, write, clock, version }: Pick<Process, 'env' | 'write' | 'clock' | 'version'>,
): Promise<0 | 1 | 2> =>
  report(
    {
      name: 'migrate',
      help,
      flags: [['dry-run', 'boolean']],
      look: async (given) => {
        if (!given.has('dry-run'))
          throw new CulvertError('usage', 'migrate needs --dry-run: the operator itself takes over, when it is started')
        const look = async () => {
          const read = await readSettings(env, version)
          const { settings, process } = read
          const { api } = await connect('default', { isDryRun: true })
          const tailnet = tailscaleApi(settings.loginServer, process.credentials, clock)
          const found = await migration({ api, tailnet, settings, clock }, clock.timeout(longest))
          return { ...found, findings: [...judgeSettings({ value: read }), ...found.findings] }
        }
        const found = await look().catch(withoutLook)
        const lines = [...found.findings.map(lineOf), ...found.changes.map(lineOfChange)]
        return { json: found, lines, hasErrors: hasErrors(found.findings) }
      },
    },
    args,
    write,
  )
