import { runCommand } from '../../lib/command.ts'
import { factOf } from '../../lib/fact.ts'
import { failed, type Finding } from '../../lib/finding.ts'
import { localApi } from '../../localapi/client.ts'
import type { Paths } from '../../localapi/paths.ts'
import { parseDeviceConfigFile } from '../../wire/device-config.ts'
import { type Loaded, loadSettings } from '../lifecycle/load.ts'
import { readFlags } from '../settings/flags.ts'
import { type Environment, environmentWarnings } from '../settings/read.ts'
import { readConfigSecret } from '../settings/state.ts'
import { lookAtAcme } from './acme.ts'
import { type Ask, askAgent, environmentOf } from './agent.ts'
import { lookAtApiServer } from './api-server.ts'
import { config, lookAtConfig } from './config.ts'
import { lookAtControl } from './control.ts'
import { lookAtDns } from './dns.ts'
import { lookAtFirewall } from './firewall.ts'
import { lookAtForwarding } from './forwarding.ts'
import type { Look, Looking } from './looking.ts'
import { lookAtMtu } from './mtu.ts'
import { lookAtOffload } from './offload.ts'
import { lookAtOverlap } from './overlap.ts'
import { lookAtPaths } from './paths.ts'
import { pathsThatMatter } from './peers.ts'
import { lookAtRights } from './rights.ts'
import { judgeAgent, running } from './running.ts'

export type Checked = Pick<Looking, 'env' | 'clock' | 'transfer'> & {
  /** Those with which the agent will be started. */
  readonly flags: readonly string[]
  /** The directory of the agent's bundle. */
  readonly home: string
  /** The socket of the running agent, and how it is asked; undefined before the start. */
  readonly socket: string | undefined
  readonly ask: Ask
}

/** All of it together, and a program that says nothing, in milliseconds. */
const longest = 60_000
const longestProgram = 8000

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
export async function check(checked: Checked): Promise<readonly Finding[]> {
  const { clock, home, socket, ask } = checked
  const signal = clock.timeout(longest)
  const asked = socket === undefined ? undefined : await factOf(signal, () => askAgent(socket, ask))
  const agent = asked !== undefined && 'value' in asked ? asked.value : undefined
  const told =
    asked === undefined
      ? [running.ok({ what: 'it is not asked, before its start' })]
      : 'error' in asked
        ? [running.absent({ socket: socket ?? '', problem: asked.error })]
        : judgeAgent(asked.value, clock)
  const own = agent?.status.agent
  const { env, named } = readFlags(
    [...(own?.flags ?? []), ...checked.flags],
    own === undefined ? checked.env : await environmentOf(own, checked.env),
  )
  const warnings = (all: readonly string[]): Finding[] => all.map((problem) => config.warning({ problem }))
  const loaded = await factOf(signal, () => load(env, home, socket === undefined))
  const found =
    'error' in loaded
      ? [config.settings({ problem: loaded.error })]
      : [...warnings(loaded.value.warnings), ...(await lookAround({ ...checked, env, agent, signal }, loaded.value))]
  return [...told, ...warnings(environmentWarnings(env)), ...found].map((one) => renamed(one, named))
}

/** Looks at all areas at once; what cannot be looked at is a finding of its own. */
async function lookAround(
  { env, agent, clock, transfer, signal }: Pick<Looking, 'env' | 'agent' | 'clock' | 'transfer' | 'signal'>,
  { settings, config: mounted }: Loaded,
): Promise<readonly Finding[]> {
  const api = localApi(settings.socket)
  let tailnet: Promise<Paths> | undefined
  const programs: Promise<unknown>[] = []
  const looking: Looking = {
    settings,
    env,
    file: mounted && parseDeviceConfigFile(mounted.path, mounted.bytes),
    agent,
    api,
    clock,
    transfer,
    signal,
    tailnet: () => (tailnet ??= pathsThatMatter(looking)),
    run: (program, args, options) => {
      const printed = runCommand(program, args, { timeoutMs: longestProgram, ...options })
      programs.push(printed.catch(() => {}))
      return printed
    },
  }
  const found = await Promise.all(
    areas.map(async ([name, look]) => {
      const fact = await factOf(signal, () => look(looking))
      return 'value' in fact ? fact.value : [failed('unknown', name, fact.error, 'not known: ')]
    }),
  )
  // None outlives the check, also where nobody waits for it any more.
  await Promise.all(programs)
  return found.flat()
}

/** Names settings as they were set: as variables or as flags. */
const renamed = ({ message, remedy, ...rest }: Finding, named: (text: string) => string): Finding => ({
  ...rest,
  message: named(message),
  ...(remedy !== undefined && { remedy: named(remedy) }),
})

/** Config files that the agent itself writes are not there before its start. */
async function load(env: Environment, home: string, isBefore: boolean): Promise<Loaded> {
  const isWritten = isBefore && readConfigSecret(env) !== undefined
  const unwritten = { CULVERT_CONFIG_SECRET: '', TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR: '' }
  return loadSettings(isWritten ? { ...env, ...unwritten } : env, home)
}
