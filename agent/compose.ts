import { isIPv6 } from 'node:net'
import { runAhead, runCommand } from '../lib/command.ts'
import type { Log } from '../lib/log.ts'
import { localApi } from '../localapi/client.ts'
import { applyInput, nftables } from '../netfilter/nftables/nftables.ts'
import { bootDeadline } from './lifecycle/deadline.ts'
import { linkDefaultSocket, prepareKernel, started } from './lifecycle/kernel.ts'
import { trackChecks } from './status/checks.ts'
import { keepDeviceConfig } from './device-config/keep.ts'
import type { DeviceConfig } from './device-config/read.ts'
import { listeners, openListener } from './endpoints/listener.ts'
import { scrape } from './endpoints/scrape.ts'
import { openStatusSocket } from './endpoints/socket.ts'
import { forwards } from './forwarding/reconciler.ts'
import { keepForwarding } from './forwarding/keep.ts'
import { keepServe } from './serve/keep.ts'
import { reportLeft } from './serve/unmanaged.ts'
import { keepMounted } from './mounted/keep.ts'
import { preshutdownRoute } from './preshutdown/route.ts'
import { contactTargets } from './forwarding/contact.ts'
import { needsPeers } from './targets/needs-peers.ts'
import { optimizeForwarding } from './tailscaled/udp-gro.ts'
import { reissueRefusedKey } from './tailscaled/reissue.ts'
import type { Environment } from './settings/read.ts'
import type { Settings } from './settings/settings.ts'
import { followBus } from './tailscaled/bus.ts'
import { followNetwork } from './targets/local-network.ts'
import { followStatus } from './tailscaled/poll-status.ts'
import { keepStateSecret } from './state-secret/keep.ts'
import type { Stoppable } from './lifecycle/stop.ts'
import { superviseTailscaled } from './tailscaled/daemon.ts'
import { spawner } from './tailscaled/spawn.ts'
import { withdraw } from './serve/withdraw.ts'
import { shortWaits, waits as normalWaits } from './world/timings.ts'
import { createStore, initialWorld, type Store } from './world/world.ts'

type Context = {
  /** The agent's own environment, which its children get. */
  readonly env: Environment
  readonly log: Log
  readonly version: string
  /** tailscaled's config file, in one-step mode. */
  readonly config: DeviceConfig | undefined
  /** Gets each part that must be ended, as soon as it is there. */
  readonly parts: Stoppable
  readonly signal: AbortSignal
}

/** Runs the composed agent; resolves with the reason to end it well, and rejects with the reason to end it badly. */
export type Run = () => Promise<string>

/**
 * Puts the parts together, in the order of agent.md §2, up to the start of tailscaled. Rejects when `signal` aborts:
 * nothing is added to `parts` after that.
 */
export async function compose(settings: Settings, { env, log, version, config, parts, signal }: Context): Promise<Run> {
  const waits = settings.shortWaits ? shortWaits : normalWaits
  parts.stopBudgetMs = waits.stopBudget
  const nft = nftables(runCommand, runAhead('nft', applyInput))
  const kernelFamilies = await prepareKernel(settings, nft, log)
  signal.throwIfAborted()
  const store = createStore({
    ...initialWorld(settings, kernelFamilies),
    ...(config && { deviceConfig: { current: config } }),
  })
  parts.store = store
  trackChecks(store, signal)

  const observed = { world: () => store.world, stuck: () => stuckFacets(parts, waits.stuck) }
  const socket = await openStatusSocket(settings.statusSocket, { observed, version, log })
  if (socket !== undefined) parts.servers.push({ server: socket, name: `status socket ${settings.statusSocket}` })
  const api = localApi(settings.socket)
  const startTime = performance.timeOrigin / 1000
  const metrics = scrape({ world: observed.world, version, startTime, api, timeoutMs: waits.statusTimeout })
  const preshutdown =
    settings.egressServicesDirectory === undefined
      ? undefined
      : preshutdownRoute({ store, log, waits, signal, endFlows: async () => (await parts.firewall?.endFlows()) ?? 0 })
  for (const listener of listeners(settings, observed, metrics, preshutdown)) {
    parts.servers.push({ server: await openListener(listener), name: `HTTP server at ${listener.address.text}` })
  }
  signal.throwIfAborted()

  const booted = new AbortController()
  const deadline = bootDeadline(store, log, waits, AbortSignal.any([booted.signal, signal]))
  // It is raced below; until then nobody listens.
  deadline.catch(() => {})

  const stateSecret = await keepStateSecret({ store, log, waits, parts, signal })
  await Promise.race([stateSecret?.prepared, deadline])
  signal.throwIfAborted()

  await keepMounted(
    { store, log, waits, signal },
    {
      egressDirectory: settings.egressServicesDirectory,
      ingressFile: settings.ingressServicesFile,
      serveFile: settings.serveConfigFile,
    },
  )
  if (forwards(store.world)) {
    // Where netfilter is kept in memory, the network is the machine's.
    if (settings.fakeNetfilter === undefined) await followNetwork({ store, log, waits }, signal)
    await Promise.race([keepForwarding({ store, nft, log, waits, parts, signal }), deadline])
    signal.throwIfAborted()
  }

  const daemon = superviseTailscaled({ store, spawn: spawner(env), log, waits, env: daemonEnv(store), api })
  parts.daemon = daemon
  parts.withdraw = (limit) => withdraw({ store, api, log, waits }, limit)
  parts.unlink = linkDefaultSocket(settings, log)
  void followBus({ store, api, log, waits }, signal)
  void followStatus({ store, api, log, waits }, signal)
  if (settings.forwardingOptimizations) void optimizeForwarding({ store, api, log }, signal)
  if (needsPeers(settings)) contactTargets({ store, api, log, waits }, signal)
  if (settings.serveConfigFile === undefined) void reportLeft(store, api, log, signal)
  else keepServe({ store, api, log, waits, parts, signal })
  if (settings.certShare !== undefined && settings.state.kind === 'secret') {
    // Only here, as with the Kubernetes API, which these are shared through.
    const { keepCertificates } = await import('./certificates/keep.ts')
    void keepCertificates({ store, api, log, waits }, settings.state.name, signal)
  }
  if (config !== undefined) keepDeviceConfig({ store, api, log, waits, parts, signal })

  return async () => {
    const forever = daemon.run().then(() => new Promise<never>(() => {}))
    const start = async (): Promise<never> => {
      await started(store, log, signal)
      booted.abort()
      stateSecret?.removeAuthKey()
      store.update((now) => ({ ...now, startedAt: new Date() }))
      log('Startup complete, waiting for shutdown signal')
      return forever
    }
    const reissue = async (): Promise<string> => {
      const reason = await reissueRefusedKey({ store, api, log, waits }, signal)
      stateSecret?.clearAtStop()
      return reason
    }
    return Promise.race([forever, start(), deadline, ...(config === undefined ? [] : [reissue()])])
  }
}

/** Facets whose attempt has lasted longer than all limits within it allow. */
const stuckFacets = ({ facets }: Stoppable, limit: number): string[] =>
  facets.flatMap(({ name, busySince }) => (performance.now() - (busySince() ?? Infinity) > limit ? [name] : []))

/** What tailscaled is told beside what it reads in the environment itself. */
function daemonEnv({ world }: Store): Record<string, string> {
  const { host } = world.settings.cluster
  return {
    // The two must not choose different backends: its own `auto` counts rules in every table, ours included.
    ...(forwards(world) && { TS_DEBUG_FIREWALL_MODE: 'nftables', ...world.settings.portEnv }),
    ...(world.settings.certShare && { TS_CERT_SHARE_MODE: world.settings.certShare }),
    // It makes a URL of this one as it is.
    ...(isIPv6(host) && { KUBERNETES_SERVICE_HOST: `[${host}]` }),
  }
}
