import type { Api } from '../../kube/controller/api.ts'
import { connect } from '../../kube/controller/cluster.ts'
import { isStale } from '../../kube/controller/controller.ts'
import type { Leadership } from '../../kube/controller/election/shards.ts'
import { appliedBy } from '../../kube/controller/managed.ts'
import type { Resource } from '../../kube/controller/resource.ts'
import type { Clock } from '../../lib/clock.ts'
import { CulvertError } from '../../lib/errors.ts'
import { type Log, openLog } from '../../lib/log.ts'
import { tailscaleApi } from '../api/client.ts'
import { compose, type Operator } from '../compose.ts'
import { acmeSecret } from '../group/acme.ts'
import { identitySecret } from '../group-ingress/identity.ts'
import {
  connectors,
  deployments,
  ingresses,
  proxyClasses,
  proxyGroups,
  recorders,
  secrets,
  services,
} from '../objects/resources.ts'
import { cleaning } from '../log-events.ts'
import { processEvents } from '../../lib/process-events.ts'
import type { Process } from '../../lib/process.ts'
import { readSettings } from '../run.ts'
import { whole } from '../shards/division.ts'
import { standForElection } from '../shards/standing.ts'
import { logSettings, type Read } from '../settings/read.ts'
import { manager } from '../world/followed.ts'
import type { CleanupOptions } from './command.ts'
import { inWords, isNothing, leftIn } from './left.ts'
import { lenient } from './lenient.ts'
import { withoutAsking } from './view.ts'

/** How often it looks what is left, in milliseconds. */
const lookMs = 500
/** What still runs when nothing is left has so many milliseconds. */
const drainMs = 10_000

/** Removes all that the operator has made. Exit codes: 0 when nothing is left in the cluster, else 1 with a reason. */
export async function runCleanup(
  { env, write, onSignal, clock, version }: Process,
  { deployment, timeoutMs }: CleanupOptions,
): Promise<0 | 1> {
  const { log, flush } = openLog('operator', logSettings(env), { write, clock })
  /** Ends what waits. */
  const limit = new AbortController()
  /** Ends what follows the cluster. */
  const stop = new AbortController()
  const giveUp = (reason: string): void => limit.abort(new CulvertError('command', reason))
  onSignal((signal) => giveUp(`ended by ${signal}`))
  clock.after(timeoutMs, stop.signal, () => giveUp(`not done within ${timeoutMs / 1000} s`))
  const patience = clock.now() + timeoutMs / 4
  log(cleaning.begins({ version }))
  try {
    const read = await readSettings(env, version)
    if (deployment !== undefined) await scaleDown(read, deployment, log, limit.signal)
    // Nobody else works then, into however many shards the operator was divided.
    const [election] = (await standForElection(read, whole, log, stop.signal)).all
    let isDone = false
    try {
      await elected(election, limit.signal)
      await clean(read, election, { log, clock, patience }, { limit: limit.signal, stop: stop.signal })
      isDone = true
    } finally {
      // What was cut short may still reach the API server.
      await election.resign({ handOver: isDone })
    }
    log(cleaning.done())
    return 0
  } catch (error) {
    log(processEvents.failed({ problem: error }))
    return 1
  } finally {
    stop.abort()
    flush()
  }
}

/** Stops the operator, which gives back its Lease then. */
async function scaleDown({ settings }: Read, name: string, log: Log, signal: AbortSignal): Promise<void> {
  const { api } = await connect('default')
  const at = { namespace: settings.namespace, name }
  const none = { type: 'merge', subresource: 'scale', body: { spec: { replicas: 0 } }, manager } as const
  try {
    await api.patch(deployments, at, none, signal)
    log(cleaning.scaledDown({ name }))
  } catch (error) {
    // By hand, or by an earlier attempt.
    if (!isStale(error)) throw error
    log(cleaning.gone({ name }))
  }
}

async function elected({ elected: won, lost }: Leadership, signal: AbortSignal): Promise<void> {
  const why = 'the Lease is held by another replica of the operator'
  const remedy = 'Stop the operator, or name its --deployment.'
  const ended = Promise.race([aborted(signal), lost.then((reason) => new CulvertError('leader', reason))])
  const cause = await Promise.race([won, ended])
  if (cause !== undefined) throw new CulvertError('leader', why, { cause, remedy })
}

type Surroundings = { readonly log: Log; readonly clock: Clock; readonly patience: number }
type Signals = { readonly limit: AbortSignal; readonly stop: AbortSignal }

/** Has the operator take everything away, waits until that is done, and removes what belongs to no object. */
async function clean(
  { settings, process }: Read,
  { gate, lost }: Leadership,
  { log, clock, patience }: Surroundings,
  { limit, stop }: Signals,
): Promise<void> {
  const { api } = await connect('default', { gate })
  const real = tailscaleApi(settings.loginServer, process.credentials, clock, { gate })
  const tailnet = lenient(real, { until: patience, clock, told: (problem) => log(cleaning.inTailnet({ problem })) })
  const now = clock.date()
  const operator = compose(
    {
      api,
      tailnet,
      settings: { ...settings, isDefaultLoadBalancer: false, apiServerProxy: undefined },
      log,
      clock,
      isVerbose: process.isVerbose,
      view: (object) => withoutAsking(object, now),
    },
    stop,
  )
  const ended = Promise.race([aborted(limit), lost.then((reason) => new CulvertError('leader', reason))])
  const problem = await Promise.race([ended, done(operator, log, clock, limit)])
  if (problem !== undefined) {
    const left = inWords(leftIn(operator.caches.world, resourcesOf(operator)))
    throw new CulvertError('command', `${problem.message}; left: ${left}`, { remedy })
  }
  await Promise.all(operator.controllers.map(({ drain }) => drain(drainMs)))
  await silence(api, operator, limit)
  for (const name of [acmeSecret, identitySecret]) {
    const present = await api.get(secrets, { namespace: settings.namespace, name }, limit)
    const uid = present?.metadata.uid
    if (uid !== undefined)
      await api.delete(secrets, { namespace: settings.namespace, name, uid }, { propagation: 'Background' }, limit)
  }
}

const remedy = 'The Events of the objects say what they wait for. It may be repeated.'
const resourcesOf = ({ caches }: Operator): readonly Resource[] => caches.written.map(({ resource }) => resource)

/** Returns when nothing is left, and tells what is until then. */
async function done(operator: Operator, log: Log, clock: Clock, signal: AbortSignal): Promise<undefined> {
  await Promise.all(operator.sources().map(({ synced }) => synced))
  let told = ''
  while (!signal.aborted) {
    const left = leftIn(operator.caches.world, resourcesOf(operator))
    const isIdle = operator.controllers.every((one) => one.counts().running === 0)
    if (isNothing(left) && isIdle) return
    const objects = inWords(left)
    if (objects !== told && !isNothing(left)) log(cleaning.left({ objects }))
    told = objects
    await clock.sleep(lookMs, signal)
  }
}

/** Objects that stay say nothing any more of how they stand. */
async function silence(api: Pick<Api, 'patch'>, { caches }: Operator, signal: AbortSignal): Promise<void> {
  for (const resource of [services, ingresses, connectors, recorders, proxyGroups, proxyClasses])
    for (const object of caches.world.all(resource)) {
      if (appliedBy(manager, object, 'status') === undefined) continue
      const { apiVersion, kind, metadata } = object
      const { name, namespace, uid } = metadata
      // With the uid, since the API would make one anew that has gone meanwhile.
      const body = { apiVersion, kind, metadata: { name, namespace, uid } }
      const none = { type: 'apply', subresource: 'status', body, manager, force: true } as const
      await api.patch(resource, metadata, none, signal).catch((error: unknown) => {
        if (!isStale(error)) throw error
      })
    }
}

/** Resolves with the reason when a signal aborts. */
const aborted = (signal: AbortSignal): Promise<CulvertError> =>
  new Promise((resolve) => {
    const tell = (): void => resolve(signal.reason instanceof CulvertError ? signal.reason : stopped)
    if (signal.aborted) tell()
    else signal.addEventListener('abort', tell, { once: true })
  })
const stopped = new CulvertError('command', 'ended')
