import { runCommand } from '../../lib/command.ts'
import { factOf } from '../../lib/fact.ts'
import { failed, type Finding } from '../../lib/finding.ts'
import { localApi } from '../../localapi/client.ts'
import { getTailnet, type Tailnet } from '../../localapi/tailnet.ts'
import { type Loaded, loadSettings } from '../lifecycle/load.ts'
import { type Environment, environmentWarnings } from '../settings/read.ts'
import { readConfigSecret } from '../settings/state.ts'
import { lookAtAcme } from './acme.ts'
import { lookAtApiServer } from './api-server.ts'
import { config, lookAtConfig } from './config.ts'
import { lookAtControl } from './control.ts'
import { lookAtDns } from './dns.ts'
import { lookAtFirewall } from './firewall.ts'
import { lookAtForwarding } from './forwarding.ts'
import type { Agent, Look, Looking } from './looking.ts'
import { lookAtMtu } from './mtu.ts'
import { lookAtOffload } from './offload.ts'
import { lookAtOverlap } from './overlap.ts'
import { lookAtPaths } from './paths.ts'
import { lookAtRights } from './rights.ts'
import { lookAtAgent, running } from './running.ts'

export type Checked = Pick<Looking, 'env' | 'clock' | 'transfer'> & {
  /** The directory of the agent's bundle. */
  readonly home: string
  /** The socket of the running agent, and how it is asked; undefined before the start. */
  readonly socket: string | undefined
  readonly ask: (socket: string, path: string) => Promise<{ readonly body: string }>
}

/** All of it together, in milliseconds. */
const longest = 60_000

/** What is looked at, in the order in which it is told. */
const areas: readonly (readonly [name: string, look: Look])[] = [
  ['config', lookAtConfig],
  ['rights', lookAtRights],
  ['firewall', lookAtFirewall],
  ['forwarding', lookAtForwarding],
  ['overlap', lookAtOverlap],
  ['dns', lookAtDns],
  ['control', lookAtControl],
  ['api-server', lookAtApiServer],
  ['acme', lookAtAcme],
  ['mtu', lookAtMtu],
  ['offload', lookAtOffload],
  ['paths', lookAtPaths],
]

/** Looks at everything, and changes nothing. What could not be found out is a finding, too. Never rejects. */
export async function check({ env, clock, transfer, home, socket, ask }: Checked): Promise<readonly Finding[]> {
  const signal = clock.timeout(longest)
  const loaded = await factOf(signal, () => load(env, home, socket === undefined))
  if ('error' in loaded) return [config.settings({ problem: loaded.error })]
  const { settings, warnings } = loaded.value
  const asked = socket === undefined ? undefined : await factOf(signal, () => askAgent(socket, ask))
  const agent = asked !== undefined && 'value' in asked ? asked.value : undefined
  const api = localApi(settings.socket)
  let tailnet: Promise<Tailnet> | undefined
  const looking: Looking = {
    settings,
    env,
    agent,
    api,
    clock,
    transfer,
    signal,
    tailnet: () => (tailnet ??= getTailnet(api, signal)),
    run: runCommand,
  }
  const found = await Promise.all(
    areas.map(async ([name, look]) => {
      const fact = await factOf(signal, () => look(looking))
      return 'value' in fact ? fact.value : [failed('unknown', name, fact.error, 'not known: ')]
    }),
  )
  const ofAgent =
    asked !== undefined && 'error' in asked
      ? [running.absent({ socket: socket ?? '', problem: asked.error })]
      : await lookAtAgent(looking)
  const all = [...environmentWarnings(env), ...warnings]
  return [...ofAgent, ...all.map((problem) => config.warning({ problem })), ...found.flat()]
}

/** Config files that the agent itself writes are not there before its start. */
async function load(env: Environment, home: string, isBefore: boolean): Promise<Loaded> {
  const isWritten = isBefore && readConfigSecret(env) !== undefined
  const unwritten = { CULVERT_CONFIG_SECRET: '', TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR: '' }
  return loadSettings(isWritten ? { ...env, ...unwritten } : env, home)
}

async function askAgent(socket: string, ask: Checked['ask']): Promise<Agent> {
  const [status, ruleset] = await Promise.all([ask(socket, '/status'), ask(socket, '/ruleset')])
  return { status: JSON.parse(status.body), ruleset: JSON.parse(ruleset.body) }
}
