import type { Api } from '../../kube/controller/api.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import type { Resource, Scope } from '../../kube/controller/resource.ts'
import { KubeError } from '../../kube/error.ts'
import type { Clock } from '../../lib/clock.ts'
import type { LogEvent } from '../../lib/log-event.ts'
import { factOf } from '../../lib/fact.ts'
import { readAll } from '../check/gather.ts'
import { failed, type Finding, hasErrors } from '../../lib/finding.ts'
import { compose } from '../compose.ts'
import { deployments, proxyGroups, secrets } from '../objects/resources.ts'
import { deviceIdIn } from '../proxy/state.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import { unmanaged } from '../unmanaged/unmanaged.ts'
import { type Change, changesOf } from './change.ts'
import { judgePredecessor, type Predecessor } from './predecessor.ts'
import { judgeRehearsed, type Rehearsed } from './rehearsed.ts'
import { rehearse } from './rehearse.ts'
import { type Readable, rehearseTailnet } from './tailnet.ts'

/** What the operator would find, and what it would do. */
export type Migration = {
  readonly findings: readonly Finding[]
  /** Empty if the findings have an error of what is there. */
  readonly changes: readonly Change[]
}

export type Surroundings = {
  /** Writes are only tried by the server. */
  readonly api: Api
  readonly tailnet: Readable
  readonly settings: OperatorSettings
  readonly clock: Clock
}

/**
 * Says what would change if this operator took over now, by having it work without changing anything, until `signal`
 * aborts. An object of which one change has to be seen in the cluster before the next shows only the first of them.
 */
export async function migration(around: Surroundings, signal: AbortSignal): Promise<Migration> {
  const before = judgePredecessor(await predecessorOf(around, signal))
  if (hasErrors(before)) return { findings: before, changes: [] }
  const rehearsed = await rehearsal(around, signal)
  return { findings: [...before, ...judgeRehearsed(rehearsed)], changes: rehearsed.changes }
}

/** What there is when nothing could be looked at. */
export const withoutLook = (error: unknown): Migration => ({
  findings: [failed('error', 'settings', error)],
  changes: [],
})

async function predecessorOf({ api, settings }: Surroundings, signal: AbortSignal): Promise<Predecessor> {
  const { namespace, operatorId, operatorSecret } = settings
  const all = (resource: Resource, scope: Scope = {}) =>
    readAll(api, { resource, scope }, (object) => [object], signal).catch((error: unknown) => {
      // A kind that the cluster does not know has no objects.
      if (error instanceof KubeError && error.status === 404) return []
      throw error
    })
  const kinds = [...unmanaged.map(({ resource }) => resource), proxyGroups]
  const state = async (): Promise<string | undefined> => {
    if (operatorId !== '') return operatorId
    const secret = await api.get(secrets, { namespace, name: operatorSecret }, signal)
    return secret && deviceIdIn(secret)
  }
  const [found, objects, id] = await Promise.all([
    factOf(signal, () => all(deployments, { namespace })),
    factOf(signal, async (): Promise<readonly KubeObject[]> =>
      (await Promise.all(kinds.map((one) => all(one)))).flat(),
    ),
    factOf(signal, state),
  ])
  return { namespace, deployments: found, objects, operatorId: id, apiServerProxy: settings.apiServerProxy }
}

/** How often it looks whether the operator has something to do, in milliseconds. */
const lookMs = 100

async function rehearsal({ api, tailnet, settings, clock }: Surroundings, signal: AbortSignal): Promise<Rehearsed> {
  const stop = new AbortController()
  const cluster = rehearse(api)
  const inTailnet = rehearseTailnet(tailnet)
  const problems = new Set<string>()
  const log = ({ text: line }: LogEvent): void => {
    const [, problem] = /^error: (.*)/s.exec(line) ?? []
    const [, well] = /^(.*): well again$/.exec(line) ?? []
    if (problem !== undefined) problems.add(problem)
    for (const one of problems) if (well !== undefined && one.startsWith(`${well}: `)) problems.delete(one)
  }
  const ending = AbortSignal.any([signal, stop.signal])
  const operator = compose({ api: cluster.api, tailnet: inTailnet.api, settings, log, clock }, ending)
  try {
    await factOf(signal, () => Promise.all(operator.sources().map(({ synced }) => synced)))
    while (!signal.aborted && !operator.controllers.every((one) => one.isIdle())) await clock.sleep(lookMs, signal)
  } finally {
    stop.abort()
  }
  return {
    changes: changesOf(cluster.writes.values()),
    warnings: cluster.warnings,
    intended: inTailnet.intended,
    problems: [...problems],
    isComplete: !signal.aborted,
  }
}
