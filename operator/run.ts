import { readFile } from 'node:fs/promises'
import { connect } from '../kube/controller/cluster.ts'
import type { Leadership, Shards } from '../kube/controller/election/shards.ts'
import { CulvertError } from '../lib/errors.ts'
import { close } from '../lib/http-server.ts'
import { type Log, openLog } from '../lib/log.ts'
import { processEvents } from '../lib/process-events.ts'
import { endings, failed, type Process } from '../lib/process.ts'
import { tailscaleApi } from './api/client.ts'
import { compose, type Operator, type Share } from './compose.ts'
import { serveHealth } from './health.ts'
import { events } from './log-events.ts'
import { operatorMetrics, type RequestCounts, requestCounts } from './metrics.ts'
import { leaseOf } from './objects/names.ts'
import { logSettings, type Read, readOperatorSettings } from './settings/read.ts'
import { keepHeapSmall } from './settle.ts'
import { type Division, readDivision } from './shards/division.ts'
import { standForElection } from './shards/standing.ts'

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
    const division = await readDivision(read, log, stop.signal)
    const shards = await standForElection(read, division, log, stop.signal)
    const losses = shards.all.map(async (one, shard) => {
      const which = division.count === 1 ? 'the Lease' : `the Lease ${leaseOf(shard)}`
      throw new CulvertError('leader', `this replica has lost ${which}: ${await one.lost}`)
    })
    const lost = Promise.race(losses)
    // One may be lost while it is still starting.
    for (const one of [...losses, lost]) one.catch(() => {})
    const requests = requestCounts()
    const operator = await startOperator(read, division, shards.all, { log, clock, requests }, stop.signal)
    const metrics = () => operatorMetrics(operator, shards, requests)
    const server = await serveHealth(operator, shards, metrics, { port: read.process.port, ending: stop.signal, log })
    keepHeapSmall(operator.controllers, clock, stop.signal)
    void Promise.all(operator.sources().map(({ synced }) => synced)).then(() => log(events.follows()))
    try {
      log(processEvents.ends({ reason: await Promise.race([signalled, uncaught, lost]) }))
      // The queues of a shard that comes free now would begin nothing.
      const left = shards.takeNoMore()
      const drained = Promise.all(operator.controllers.map(({ drain }) => drain(drainMs)))
      const isDone = await Promise.race([drained.then((all) => all.every(Boolean)), forced.then(() => false)])
      // What was cut short may still reach the API server. Nobody else begins before the Lease expires, then.
      const resigned = shards.all.map(({ resign }) => resign({ handOver: isDone }))
      await Promise.race([Promise.all([left, ...resigned]), forced])
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

/** The operator, all of whose writes pass the gate of the election for their shard. */
async function startOperator(
  { settings, process }: Read,
  { count, shardOf }: Division,
  leaders: Shards['all'],
  { log, clock, requests }: Pick<Process, 'clock'> & { readonly log: Log; readonly requests: RequestCounts },
  signal: AbortSignal,
): Promise<Operator> {
  const shareOf = async ({ gate, elected, isLeader }: Leadership, shard: number): Promise<Share> => {
    const { api } = await connect('default', { gate, answered: requests.ofKubernetes })
    const counted = { gate, answered: requests.ofTailscale, suspended: requests.suspending() }
    const tailnet = tailscaleApi(settings.loginServer, process.credentials, clock, counted)
    const part = count === 1 ? {} : { has: (key: string) => shardOf(key) === shard }
    // What a leader lists from now on shows everything that others have done.
    return { api, tailnet, ...part, ...(isLeader() ? {} : { elected }) }
  }
  const [first, ...rest] = leaders
  const others = await Promise.all(rest.map((one, index) => shareOf(one, index + 1)))
  const isVerbose = process.isVerbose
  return compose({ ...(await shareOf(first, 0)), others, settings, log, clock, isVerbose }, signal)
}
