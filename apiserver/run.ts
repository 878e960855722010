import { isDeepStrictEqual } from 'node:util'
import { kubeClient } from '../kube/client.ts'
import { coalesce } from '../lib/coalesce.ts'
import { close, portOf } from '../lib/http-server.ts'
import type { Log } from '../lib/log.ts'
import { type Process, runService } from '../lib/process.ts'
import { localApi } from '../localapi/client.ts'
import { dialer } from '../localapi/dial.ts'
import { auditLine, type Audited } from './audit.ts'
import { Callers } from './callers.ts'
import { keepCertificate } from './certificate.ts'
import { type Config, readConfig } from './config.ts'
import { exchange, type Parts } from './exchange.ts'
import { serveHealth } from '../lib/probes.ts'
import { Listener } from './listener.ts'
import { events } from './log-events.ts'
import { measures } from './metrics.ts'
import { followNetmap } from './netmap.ts'
import { OpenRequests } from './open-requests.ts'
import { PerPeer } from './per-peer.ts'
import { refusalEvents } from './pod-events.ts'
import { RequestEvents } from './recording/request-events.ts'
import { logSettings, readSettings, type Settings, strayVariables } from './settings.ts'
import { Upstream } from './upstream.ts'

/** How often open requests are looked at, in milliseconds, if nothing is heard of a change. */
const recheckMs = 5000

/** Runs the proxy to its end; see `runService`. */
export const runApiServer = (outside: Process): Promise<0 | 1> =>
  runService(outside, {
    source: 'apiserver',
    called: 'proxy',
    logs: logSettings(outside.env),
    begins: events.begins({ version: outside.version }),
    warnings: strayVariables(outside.env).map((problem) => events.setting({ problem })),
    start: async (log, signal) => {
      const settings = readSettings(outside.env)
      return start(settings, await readConfig(settings.config, log), outside, log, signal)
    },
  })

async function start(
  settings: Settings,
  config: Config,
  { clock, print }: Pick<Process, 'clock' | 'print'>,
  log: Log,
  signal: AbortSignal,
) {
  const api = localApi(settings.socket)
  const counts = measures()
  const callers = new Callers(api, clock, signal, counts.asked)
  const open = new OpenRequests(clock)
  const upstream = new Upstream(settings.cluster)
  const tell = refusalEvents(kubeClient(settings.cluster), settings.pod, clock, signal)
  const dial = dialer(settings.socket)
  let isDraining = false
  let isFollowed = false
  let named = new AbortController()

  const record: Parts['record'] = (audited, kind) => {
    print(auditLine(clock.date(), audited))
    if (audited.stage !== 'ended') return
    counts.ended(audited, kind)
    const { refused, caller, origin } = audited
    if (refused) tell({ refused, caller, origin })
    if (refused?.cause !== undefined) log(events.refused({ answer: refused.message, problem: refused.cause }))
  }
  const parts: Parts = {
    callers,
    open,
    dial,
    events: new RequestEvents(dial, clock),
    limit: new PerPeer(settings.peerLimit),
    clock,
    record,
    config: config.now,
    isDraining: () => isDraining,
    upstream: { authorization: () => upstream.authorization(), pass: (request) => upstream.pass(request) },
  }
  const refusedHead = { method: '', target: '', info: { verb: 'other' }, ms: 0, caller: undefined, impersonated: false }
  const listener = new Listener(
    {
      take: (incoming) => void exchange(incoming, parts),
      refused: (origin, refused, status) => {
        const nothing: Pick<Audited, 'id' | 'stage' | 'cut'> = { id: undefined, stage: 'ended', cut: undefined }
        record({ ...nothing, ...refusedHead, origin, refused, status }, 'request')
      },
    },
    settings,
  )

  const recheck = coalesce(() => open.recheck(callers), signal)
  clock.every(recheckMs, signal, recheck)
  void followNetmap({ api, clock, signal }, (isConnected) => {
    isFollowed = isConnected
    callers.forget()
    recheck()
  })
  void config.follow((now, before) => {
    if (now.mode !== before.mode) open.endAll('the mode has changed')
    if (!isDeepStrictEqual(now.serviceNames, before.serviceNames)) keepCertificates()
  }, signal)
  /** Begins anew with all names: what it has shows meanwhile. */
  function keepCertificates(): void {
    named.abort()
    named = new AbortController()
    const { serviceNames } = config.now()
    const services = serviceNames.length === 0 ? [undefined] : serviceNames
    listener.keepOnly(services)
    const common = { api, clock, log, signal: AbortSignal.any([signal, named.signal]) }
    for (const service of services)
      void keepCertificate({ ...common, service, show: (pair) => listener.show(pair, service) })
  }
  if (settings.tls) keepCertificates()

  const notReady = (): string[] => [
    ...(isDraining ? ['shutting down'] : []),
    ...(isFollowed ? [] : ['tailscaled does not answer']),
    ...(listener.isReady ? [] : ['there is no certificate yet']),
  ]
  const health = await serveHealth({ notReady, metrics: () => counts.all(open) }, settings.port, log)
  const { host, port } = settings.listen
  const address = `${host}:${await listener.listen(host, port)}`
  log(events.listens({ address, port: portOf(health) }))

  return {
    /** Lets open requests go on for a while, and serves those that still come; then ends them in good order. */
    drain: async (): Promise<void> => {
      isDraining = true
      listener.drain()
      await Promise.race([open.empty(), clock.sleep(settings.drainMs, signal)])
      open.finishAll()
      await Promise.race([open.empty(), clock.sleep(1000, signal)])
    },
    close: async (): Promise<void> => {
      listener.close()
      await close(health)
    },
  }
}
