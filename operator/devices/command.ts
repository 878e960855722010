import { connect } from '../../kube/controller/cluster.ts'
import type { Process } from '../../lib/process.ts'
import { tailscaleApi } from '../api/client.ts'
import { failed, type Finding, hasErrors, lineOf } from '../../lib/finding.ts'
import { readAll } from '../check/gather.ts'
import { report } from '../check/report.ts'
import { secrets } from '../objects/resources.ts'
import { deviceIdIn } from '../proxy/state.ts'
import { readSettings } from '../run.ts'
import { judgeLost, lostAmong, removeLost } from './lost.ts'

/** All of it, in milliseconds. */
const longest = 120_000

const help = `Usage: culvert-operator devices [--tags=TAG,TAG] [--remove=ID,ID] [--json]

Lists devices of the tailnet with a tag of proxies that are not connected and that no Secret in the namespace of the
operator names: what is left when etcd was restored from an older snapshot, or Secrets were deleted by force. Devices of
another cluster that is switched off look the same, if it uses the same tags. It has the settings of the operator.

  --tags=TAG,TAG  the tags of proxies; those in PROXY_TAGS if left out
  --remove=ID,ID  remove these from the tailnet; what is not in the list stays
  --json          print the findings as JSON: check, level, message, remedy
  --help          print this

Exit codes: 0, 1 if something failed, 2 for wrong usage.
`

const namesIn = (text: string | undefined): readonly string[] => (text ?? '').split(',').filter(Boolean)

/** Lists devices that nobody knows any more, or removes some of them. */
export const runDevices = (
  args: readonly string[],
  { env, write, clock, version }: Pick<Process, 'env' | 'write' | 'clock' | 'version'>,
): Promise<0 | 1 | 2> => {
  const look = async (given: ReadonlyMap<string, string>): Promise<readonly Finding[]> => {
    const signal = clock.timeout(longest)
    const { settings, process } = await readSettings(env, version)
    const tailnet = tailscaleApi(settings.loginServer, process.credentials, clock)
    // First the devices: one that joins meanwhile is in a Secret later.
    const devices = await tailnet.listDevices(signal)
    const { api } = await connect('default')
    const where = { resource: secrets, scope: { namespace: settings.namespace } }
    const ids = new Set(await readAll(api, where, (secret) => [deviceIdIn(secret) ?? []].flat(), signal))
    const chosen = namesIn(given.get('tags'))
    const tags = chosen.length > 0 ? chosen : settings.proxyTags
    const lost = lostAmong(devices, { tags, ids })
    const remove = namesIn(given.get('remove'))
    return remove.length === 0
      ? judgeLost(lost, { tags })
      : removeLost(remove, lost, (id) => tailnet.removeDevice(id, signal))
  }
  return report(
    {
      name: 'devices',
      help,
      flags: [
        ['tags', 'value'],
        ['remove', 'value'],
      ],
      look: async (given) => {
        const findings = await look(given).catch((error: unknown) => [failed('error', 'devices', error)])
        return { json: findings, lines: findings.map(lineOf), hasErrors: hasErrors(findings) }
      },
    },
    args,
    write,
  )
}
