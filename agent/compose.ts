import { isIPv6 } from 'node:net'
import { release } from 'node:os'
import type { Family } from '../lib/address.ts'
import type { Clock } from '../lib/clock.ts'
import { close } from '../lib/http-server.ts'
import { loadClient } from '../lib/http-client.ts'
import type { Log, OpenLog } from '../lib/log.ts'
import { localApi } from '../localapi/client.ts'
import type { Backend } from '../netfilter/backend.ts'
import { deviceConfigKeeper } from './device-config/keep.ts'
import { listeners, openListener } from './endpoints/listener.ts'
import { events as endpointEvents } from './endpoints/log-events.ts'
import { scrape } from './endpoints/scrape.ts'
import { openStatusSocket } from './endpoints/socket.ts'
import { contactTargets } from './forwarding/contact.ts'
import { figuresReader } from './figures/figures.ts'
import { keepForwarding } from './forwarding/keep.ts'
import { resetConnections } from './forwarding/reset-connections.ts'
import { bootDeadline } from './lifecycle/deadline.ts'
import { linkDefaultSocket } from './lifecycle/link-socket.ts'
import type { Loaded } from './lifecycle/load.ts'
import { started } from './lifecycle/started.ts'
import type { Stopper } from './lifecycle/stop.ts'
import { events } from './log-events.ts'
import { keepRelay } from './relay/keep.ts'
import { keepMounted } from './mounted/keep.ts'
import { preshutdownRoute } from './preshutdown/route.ts'
import { keepServe } from './serve/keep.ts'
import { lookAtUnmanaged } from './serve/unmanaged.ts'
import { serves } from './serve/wanted.ts'
import { withdraw } from './serve/withdraw.ts'
import type { Environment } from './settings/read.ts'
import { keepStateSecret } from './state-secret/keep.ts'
import { followChecks } from './status/check-history.ts'
import { followBus } from './tailscaled/bus.ts'
import { superviseTailscaled } from './tailscaled/daemon.ts'
import { pollStatus } from './tailscaled/poll-status.ts'
import { reissueRefusedKey } from './tailscaled/reissue.ts'
import { spawner } from './tailscaled/spawn.ts'
import { tailnetKeeper } from './tailscaled/tailnet.ts'
import { events as tailscaledEvents } from './tailscaled/log-events.ts'
import { setUpUdpGro } from './tailscaled/udp-gro.ts'
import { udpGsoEnv, withoutUdpGso } from './tailscaled/udp-gso.ts'
import { capabilityKeeper, reportVersion } from './tailscaled/version.ts'
import { followName } from './targets/follow-name.ts'
import { followNetwork } from './targets/local-network.ts'
import { needsPeers } from './targets/needs-peers.ts'
import { forwardsByServe } from './targets/ports.ts'
import { createContext } from './world/context.ts'
import { logProblems } from './world/log-problems.ts'
import { createStore } from './world/store.ts'
import type { Timings } from './world/timings.ts'
import { initialWorld, type World } from './world/world.ts'

type Surroundings = {
  /** The address families that the kernel supports. */
  readonly families: readonly Family[]
  /** Undefined if the agent does not forward. */
  readonly backend: Backend | undefined
  /** The flags with which the agent was started. */
  readonly args: readonly string[]
  /** The agent's own environment, which its children inherit. */
  readonly env: Environment
  /** Names settings in a text for people as they were set: as variables or as flags. */
  readonly named: (text: string) => string
  readonly log: Log
  readonly carry: OpenLog['carry']
  readonly clock: Clock
  readonly timings: Timings
  readonly version: string
  /** Each part registers its stop steps here as soon as it exists. */
  readonly stop: Stopper
  readonly signal: AbortSignal
}

/** Runs the composed agent. Resolves with the reason for a clean end, rejects with the reason for a failure. */
export type Run = () => Promise<string>

/**
 * Wires the parts together, up to the start of tailscaled. Rejects when `signal` aborts; nothing is started after that.
 */
export async function compose(
  { settings, config, capability }: Loaded,
  { families, backend, args, env, named, log, carry, clock, timings, version, stop, signal }: Surroundings,
): Promise<Run> {
  const store = createStore(
    initialWorld(
      settings,
      backend?.families ?? families,
      config,
      backend && { name: backend.name, reason: backend.reason },
      capability,
    ),
    (problem) => log(events.listenerFailed({ problem })),
  )
  const api = localApi(settings.socket, capabilityKeeper(store))
  const { context, reconcilers } = createContext({ store, api, log, timings, clock, signal })
  const { background } = context
  const setLifecycle = store.writer('lifecycle')
  stop.at('announcing the stop', (_deadline, stopping) => setLifecycle((now) => ({ ...now, stopping })))
  stop.at('waiting for the reconcilers', reconcilers.finished)

  const observed = {
    world: () => store.world,
    stuck: () => reconcilers.stuck(timings.stuck),
    since: followChecks(context),
    named,
  }
  const problems = logProblems('the endpoints', endpointEvents.problem, context)
  const figures = figuresReader(context, backend)
  const parts = { observed, version, flags: args, figures, log, clock, problems }
  const socket = await openStatusSocket(settings.statusSocket, parts)
  const closing = (server: NonNullable<typeof socket>, name: string): void =>
    stop.at('closing the endpoints', async () => {
      await close(server)
      log(events.closed({ endpoint: name }))
    })
  if (socket !== undefined) closing(socket, `status socket ${settings.statusSocket}`)
  const startTime = performance.timeOrigin / 1000
  const metrics = scrape({ observed, version, startTime, api, figures, clock, timeoutMs: timings.statusTimeout })
  const preshutdown = settings.egressServicesDirectory === undefined ? undefined : preshutdownRoute(context)
  for (const listener of listeners(settings, observed, metrics, preshutdown)) {
    closing(await openListener(listener, problems), `HTTP server at ${listener.address.text}`)
  }
  signal.throwIfAborted()

  const booted = new AbortController()
  const deadline = bootDeadline(context, AbortSignal.any([booted.signal, signal]))
  // It is raced below; a rejection before that must not count as unhandled.
  deadline.catch(() => {})

  const stateSecret = await keepStateSecret(context)
  if (stateSecret !== undefined) {
    stop.at('waiting for the state', stateSecret.awaitState)
    stop.at('clearing the old identity', stateSecret.clearIdentity)
  }
  await Promise.race([stateSecret?.prepared, deadline])
  signal.throwIfAborted()

  await keepMounted(context, {
    egressDirectory: settings.egressServicesDirectory,
    ingressFile: settings.ingressServicesFile,
    serveFile: settings.serveConfigFile,
  })
  if (settings.targetName !== undefined) await followName(context, settings.targetName)
  if (forwardsByServe(settings)) keepRelay(context)
  if (backend !== undefined) {
    const { firewall } = backend
    if (settings.egressServicesDirectory !== undefined) {
      stop.at('resetting connections', (limit) => resetConnections(context, firewall, limit))
    }
    // With netfilter in memory, the network is the test machine's own.
    if (settings.fakeNetfilter === undefined) await followNetwork(context)
    signal.throwIfAborted()
  }

  const deviceConfig = deviceConfigKeeper(context)
  const noGso = withoutUdpGso(settings, release())
  if (noGso !== undefined) log(tailscaledEvents.withoutGso({ reason: noGso }))
  const daemon = superviseTailscaled({
    ...context,
    spawn: spawner(env),
    carry,
    env: { ...daemonEnv(store.world), ...udpGsoEnv(noGso) },
    placeConfig: () => deviceConfig?.place(),
  })
  stop.at('stopping tailscaled', daemon.stop)
  stop.at('withdrawing what is advertised', (limit) => withdraw(context, limit))
  const unlink = linkDefaultSocket(settings, log)
  stop.at('unlinking the socket', unlink)
  const tailnet = tailnetKeeper(store)
  background('watching tailscaled’s bus', () => followBus(context, tailnet))
  background('asking tailscaled for its status', () => pollStatus(context, tailnet))
  background('looking at tailscaled’s version', () => reportVersion(context))
  if (settings.forwardingOptimizations) background('setting up UDP GRO', () => setUpUdpGro(context))
  if (needsPeers(settings)) contactTargets(context)
  if (serves(settings)) keepServe(context)
  else background('looking at what is served', () => lookAtUnmanaged(context))
  if ((settings.certShare !== undefined || settings.requestsCertificate) && settings.state.kind === 'secret') {
    const { name } = settings.state
    // Imported here since few need it, like the Kubernetes API through which certificates are shared.
    const { keepCertificates } = await import('./certificates/keep.ts')
    background('keeping the certificates', () => keepCertificates(context, name))
  }
  deviceConfig?.follow()
  if (settings.inKubernetes && settings.pod.name !== '' && settings.pod.uid !== '') {
    background('telling Events', async () => {
      // Imported on demand, like all that asks the Kubernetes API.
      const [{ kubeClient }, { podEvents }, { tellEvents }] = await Promise.all([
        import('../kube/client.ts'),
        import('./world/pod-events.ts'),
        import('./status/events.ts'),
      ])
      tellEvents(context, podEvents(kubeClient(settings.cluster), settings, signal))
    })
  }

  return async () => {
    const forever = daemon.run().then(() => new Promise<never>(() => {}))
    // Only now: tailscaled should not wait for what is not needed until it runs.
    if (backend !== undefined) keepForwarding(context, backend)
    void loadClient()
    const start = async (): Promise<never> => {
      await started(context)
      booted.abort()
      stateSecret?.removeAuthKey()
      setLifecycle((now) => ({ ...now, startedAt: clock.date() }))
      log(events.complete())
      await clock.sleep(timings.settle, signal)
      if (signal.aborted) return forever
      // Imported on demand: it loads Node's V8 module, which takes some ms of a start.
      const { freeMemory, keepYoungSmall } = await import('../lib/heap.ts')
      keepYoungSmall()
      freeMemory()
      return forever
    }
    const reissue = async (): Promise<string> => {
      const reason = await reissueRefusedKey(context)
      stateSecret?.clearAtStop()
      return reason
    }
    return Promise.race([forever, start(), deadline, ...(config === undefined ? [] : [reissue()])])
  }
}

/** Environment variables for tailscaled, in addition to the agent's own. */
function daemonEnv({ settings, stateSecret, firewall }: World): Record<string, string> {
  const { host } = settings.cluster
  return {
    // Both must choose the same backend: with `auto`, tailscaled counts rules in every table, ours included.
    ...(firewall && {
      TS_DEBUG_FIREWALL_MODE: firewall.name === 'iptables' ? 'iptables' : 'nftables',
      ...settings.portEnv,
    }),
    ...(settings.certShare && { TS_CERT_SHARE_MODE: settings.certShare }),
    // From 1.104 on, serve's listeners are otherwise bound to the tunnel and would not get traffic from the cluster.
    ...(settings.viaIngress.length > 0 && { TS_SERVE_ALLOW_ALL_INTERFACES: 'true' }),
    // tailscaled calls the same API for its state. It would always check by name whether it may write Events, which
    // can take a minute; without a UID it does not check.
    ...(stateSecret?.fallback !== undefined && {
      TS_KUBERNETES_READ_API_SERVER_ADDRESS_FROM_ENV: 'true',
      POD_UID: '',
    }),
    // tailscaled puts this into a URL as it is, so that an IPv6 address needs its brackets.
    ...(isIPv6(host) && { KUBERNETES_SERVICE_HOST: `[${host}]` }),
  }
}
