import { readFile } from 'node:fs/promises'
import { connect } from '../kube/controller/cluster.ts'
import { controllerMetrics, deafness } from '../kube/controller/health.ts'
import type { Clock } from '../lib/clock.ts'
import { CulvertError, describe } from '../lib/errors.ts'
import { close, listen, type Routes, serve } from '../lib/http-server.ts'
import { bootLog, type Log } from '../lib/log.ts'
import { metricsContentType, renderMetrics } from '../lib/metrics.ts'
import { tailscaleApi } from './api/client.ts'
import { compose, type Operator } from './compose.ts'
import { type Read, readOperatorSettings } from './settings/read.ts'

/** The process as seen from the operator: only operator/main.ts reads the environment, and handles signals. */
export type Process = {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly write: (line: string) => void
  readonly onSignal: (listener: (signal: NodeJS.Signals) => void) => void
  /** Uncaught errors: a bug in the operator. */
  readonly onUncaught: (listener: (error: unknown) => void) => void
  readonly clock: Clock
  readonly version: string
}

/** What runs when the process is told to end has this many milliseconds; kubelet waits for 30 seconds. */
const drainMs = 20_000

/** Runs the operator to its end. Exit codes: 0 after a signal, 1 after a failure, with a reason that is logged. */
export async function runOperator(outside: Process): Promise<0 | 1> {
  const { env, onSignal, onUncaught, clock, version } = outside
  const log = bootLog(outside.write, clock.date)
  const stop = new AbortController()
  const signalled = Promise.withResolvers<string>()
  const forced = Promise.withResolvers<void>()
  const uncaught = Promise.withResolvers<never>()
  // While it ends, nothing awaits it.
  uncaught.promise.catch(() => {})
  let signals = 0
  onSignal((signal) => {
    signals += 1
    if (signals === 1) signalled.resolve(`received ${signal}`)
    else forced.resolve()
  })
  onUncaught((error) => {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
    uncaught.reject(new CulvertError('internal', `bug in the operator: ${stack.slice(0, 2000)}`))
  })
  log(`culvert operator ${version}`)
  try {
    const { settings, process, warnings } = await readSettings(env, version)
    for (const warning of warnings) log(`warning: ${warning}`)
    const { api } = await connect('default')
    const tailnet = tailscaleApi(settings.loginServer, process.credentials, clock)
    const operator = compose({ api, tailnet, settings, log, clock, isVerbose: process.isVerbose }, stop.signal)
    const server = await serveHealth(operator, process.port, stop.signal, log)
    void Promise.all(operator.sources().map(({ synced }) => synced)).then(() => log('follows the cluster'))
    try {
      log(`${await Promise.race([signalled.promise, uncaught.promise])}, shutting down`)
      const drained = Promise.all(operator.controllers.map(({ drain }) => drain(drainMs)))
      await Promise.race([drained, forced.promise])
    } finally {
      stop.abort()
      await close(server)
    }
    return 0
  } catch (error) {
    log(`error: ${describe(error)}`)
    return 1
  }
}

async function readSettings(env: Process['env'], version: string): Promise<Read> {
  const textOf = (path: string) => readFile(path, 'utf8').catch(() => '')
  const resolvConf = await textOf('/etc/resolv.conf')
  const podNamespace = (await textOf('/var/run/secrets/kubernetes.io/serviceaccount/namespace')).trim()
  return readOperatorSettings({ env, resolvConf, podNamespace, version })
}

/** For kubelet's probes, and for Prometheus. */
function serveHealth({ controllers, sources }: Operator, port: number, ending: AbortSignal, log: Log) {
  const routes: Routes = {
    '/livez': () => {
      const deaf = deafness(sources())
      return deaf === undefined ? { status: 200, body: 'ok' } : { status: 503, body: deaf }
    },
    '/readyz': () => {
      const waits = sources().filter(({ isSynced }) => !isSynced())
      if (ending.aborted) return { status: 503, body: 'shutting down' }
      if (waits.length === 0) return { status: 200, body: 'ok' }
      return { status: 503, body: `not listed yet: ${waits.map(({ name }) => name).join(', ')}` }
    },
    '/metrics': () => ({
      status: 200,
      body: renderMetrics(controllerMetrics(sources(), controllers)),
      headers: { 'content-type': metricsContentType },
    }),
  }
  return listen(serve(routes), { port }, { failed: (error) => log(`warning: ${describe(error)}`) })
}
