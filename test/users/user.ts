import { dirname } from 'node:path'
import { type VariableName, variables } from '../../agent/settings/variables.ts'
import type { Scenario } from '../blackbox/scenario.ts'
import { inKubernetes } from '../blackbox/scenarios/common.ts'
import type { Container } from './readers/container.ts'

/** What must come of a file that somebody has. */
export type User = Pick<Scenario, 'secret' | 'denied' | 'phases'> & {
  /** Which container of the file; `tailscale` unless set. */
  readonly name?: string
  /** Its health checks ask in vain. */
  readonly unhealthy?: true
}
/** By the file's path. */
export type Users = Readonly<Record<string, User>>

/** Each root has it already. */
const device = '/dev/net/tun'
const typeOf = new Map<string, string>(variables.map(({ name, type }) => [name, type]))
/** In the place of a file's ports there are free ones of the machine, on which all scenarios run side by side. */
const freePorts: { readonly [Name in VariableName]?: string } = {
  TS_LOCAL_ADDR_PORT: '{port}',
  TS_HEALTHCHECK_ADDR_PORT: '{older port}',
}

/** The life of a container: its paths are below the fake root, and once start-up is complete its probes are answered. */
export function scenarioOf(
  { env, mounts, files, urls }: Container,
  { unhealthy, phases, ...rest }: User,
  inCluster: boolean,
): Scenario {
  const listens = env['TS_ENABLE_METRICS'] ?? env['TS_ENABLE_HEALTH_CHECK']
  const given: Container['env'] = { ...(listens && { TS_LOCAL_ADDR_PORT: '[::]:9002' }), ...env }
  const moves = Object.entries(freePorts).map(
    ([name, port]) => [/(?<=.):\d+$/.exec(given[name] ?? '')?.[0] ?? '', port] as const,
  )
  const moved = (text: string): string =>
    moves.reduce((before, [used, port]) => (used === '' ? before : before.replace(used, `:${port}`)), text)
  const placed = ([name, value]: [string, string]): [string, string] => {
    if (typeOf.get(name) === 'path' && value.startsWith('/')) return [name, `{root}${value}`]
    return [name, name in freePorts ? moved(value) : value]
  }
  const answers = urls.map((url) => [moved(url).replace(/^https?:\/\/[^:/]+:/, ''), unhealthy ? 0 : 200])
  const { exit } = phases.at(-1) ?? {}
  return {
    ...rest,
    env: { ...(inCluster && inKubernetes), ...Object.fromEntries(Object.entries(given).map(placed)) },
    files: {
      'proc/self/mountinfo': mounts.map((point) => `1 1 0:1 / ${point} rw - ext4 disk rw\n`).join(''),
      ...(given['TS_SOCKET'] && contents({ [dirname(given['TS_SOCKET'])]: undefined })),
      ...contents(files),
    },
    phases: exit === undefined ? [...phases, { answers: Object.fromEntries(answers) }] : phases,
  }
}

/** A directory comes to be by a file in it. */
const contents = (files: Container['files']): Record<string, string> =>
  Object.fromEntries(
    Object.entries(files).flatMap(([path, text]) => {
      if (path === device) return []
      return [text === undefined ? [`${path.slice(1)}/..data`, ''] : [path.slice(1), text]]
    }),
  )
