import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { connect } from '../kube/controller/cluster.ts'
import { elect, type Election } from '../kube/controller/election/elect.ts'
import { CulvertError } from '../lib/errors.ts'
import { close } from '../lib/http-server.ts'
import { type Log, openLog } from '../lib/log.ts'
import { processEvents } from '../lib/process-events.ts'
import { endings, failed, type Process } from '../lib/process.ts'
import { tailscaleApi } from './api/client.ts'
import { compose, type Operator } from './compose.ts'
import { serveHealth } from './health.ts'
import { events } from './log-events.ts'
import { operatorMetrics, type RequestCounts, requestCounts } from './metrics.ts'
import { logSettings, type Read, readOperatorSettings } from './settings/read.ts'
import { keepHeapSmall } from './settle.ts'
import { manager } from './world/followed.ts'

/** What runs when the process is told to end has this many milliseconds; kubelet waits for 30 seconds. */
const drainMs = 20_000

/** Runs the operator to its end. Exit codes: 0 after a signal, 1 after a failure, with a reason that is logged. */
export async function runOperator(outside: Process): Promise<0 | 1> {
  const { env, clock, version } = outside
  const { log, flush } = openLog('operator', logSettings(env), outside)
  const stop = new AbortController()
  const { signalled, forced, uncaught } = endings(outside, 'operator')
  log(events.begins({ version }))
  try {
    const read = await readSettings(env, version)
    for (const problem of read.warnings) log(events.setting({ problem }))
    const election = await standForElection(read, log, stop.signal)
    const lost = election.lost.then((reason) => {
      throw new CulvertError('leader', `this replica has lost the Lease: ${reason}`)
    })
    // The election may be lost while it is still starting.
    lost.catch(() => {})
    const requests = requestCounts()
    const operator = await startOperator(read, election, { log, clock, requests }, stop.signal)
    const metrics = () => operatorMetrics(operator, election, requests, leaseName)
    const server = await serveHealth(operator, election, metrics, { port: read.process.port, ending: stop.signal, log })
    keepHeapSmall(operator.controllers, clock, stop.signal)
    void Promise.all(operator.sources().map(({ synced }) => synced)).then(() => log(events.follows()))
    try {
      log(processEvents.ends({ reason: await Promise.race([signalled, uncaught, lost]) }))
      const drained = Promise.all(operator.controllers.map(({ drain }) => drain(drainMs)))
      const isDone = await Promise.race([drained.then((all) => all.every(Boolean)), forced.then(() => false)])
      // What was cut short may still reach the API server. Nobody else begins before the Lease expires, then.
      await Promise.race([election.resign({ handOver: isDone }), forced])
    } finally {
      stop.abort()
      await close(server)
    }
    return 0
  } catch (error) {
    return failed(error, outside, log)
  } finally {
    flush()
  }
}

/** @throws CulvertError `settings` that names all problems at once */
export async function readSettings(env: Process['env'], version: string): Promise<Read> {
  const textOf = (path: string) => readFile(path, 'utf8').catch(() => '')
  const resolvConf = await textOf('/etc/resolv.conf')
  const podNamespace = (await textOf('/var/run/secrets/kubernetes.io/serviceaccount/namespace')).trim()
  return readOperatorSettings({ env, resolvConf, podNamespace, version })
}

/** The Lease, in the namespace of the operator, which only the replica that holds it works with. */
const leaseName = 'culvert-operator'

/** Returns when it is known whether another replica works. */
export async function standForElection({ settings, process }: Read, log: Log, signal: AbortSignal): Promise<Election> {
  // Connections of its own: renewals must not wait for other requests.
  const { api } = await connect('default')
  const options = {
    api,
    name: { namespace: settings.namespace, name: leaseName },
    identity: `${hostname()}_${randomUUID()}`,
    times: process.election,
    manager,
    problem: (what: string, text: string | undefined) =>
      log(text === undefined ? events.leaseWell({ what }) : events.leaseTrouble({ what, problem: text })),
  }
  const election = elect(options, signal)
  void election.elected.then(() => log(events.leads()))
  await election.looked
  if (!election.isLeader()) log(events.standsBy())
  return election
}

/** The operator, all of whose writes pass the gate of the election. */
async function startOperator(
  { settings, process }: Read,
  { gate, elected, isLeader }: Election,
  { log, clock, requests }: Pick<Process, 'clock'> & { readonly log: Log; readonly requests: RequestCounts },
  signal: AbortSignal,
): Promise<Operator> {
  const { api } = await connect('default', { gate, answered: requests.ofKubernetes })
  const counted = { gate, answered: requests.ofTailscale, suspended: requests.suspended }
  const tailnet = tailscaleApi(settings.loginServer, process.credentials, clock, counted)
  const isVerbose = process.isVerbose
  // What a leader lists from now on shows everything that others have done.
  const waits = isLeader() ? {} : { elected }
  return compose({ api, tailnet, settings, log, clock, isVerbose, ...waits }, signal)
}
