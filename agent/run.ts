import { existsSync, writeFileSync } from 'node:fs'
import { runCommand } from '../lib/command.ts'
import { describe } from '../lib/errors.ts'
import { bootLog, type Log } from '../lib/log.ts'
import { localApi } from '../localapi/client.ts'
import { firewall } from '../netfilter/firewall.ts'
import { watchTable } from '../netfilter/nftables/monitor.ts'
import { nftables } from '../netfilter/nftables/nftables.ts'
import { bootDeadline } from './boot-deadline.ts'
import { linkDefaultSocket, prepareKernel, reportTargets, started } from './boot.ts'
import { openListener } from './endpoints/listener.ts'
import { openStatusSocket } from './endpoints/socket.ts'
import { forwardingFacet, forwardingName, forwards } from './facets/forwarding.ts'
import { runFacet } from './facet.ts'
import { type Environment, readSettings, terminationLogPath } from './settings/read.ts'
import type { Settings } from './settings/settings.ts'
import { followBus } from './sources/bus.ts'
import { followLoginUrl } from './sources/login-url.ts'
import { stopAgent, type Stoppable } from './stop.ts'
import { superviseTailscaled } from './tailscaled/daemon.ts'
import { spawn } from './tailscaled/spawn.ts'
import { shortWaits, waits as normalWaits } from './waits.ts'
import { createStore, type Store } from './world.ts'

/** The outside of the process, so that the composition can be read in one place. */
export type Process = {
  readonly env: Environment
  readonly write: (line: string) => void
  readonly onSignal: (listener: (signal: NodeJS.Signals) => void) => void
  readonly version: string
}

/** Runs the agent to its end; gives the exit code of design's exit table. */
export async function runAgent({ env, write, onSignal, version }: Process): Promise<0 | 1> {
  const log = bootLog(write, () => new Date())
  const ending = Promise.withResolvers<string>()
  const hurry = new AbortController()
  let signals = 0
  onSignal((signal) => {
    signals += 1
    if (signals === 1) ending.resolve(`received ${signal}`)
    else hurry.abort()
  })

  const parts: Stoppable = { endpoints: [] }
  let failure: unknown
  try {
    log(`culvert agent ${version}`)
    const { settings, warnings } = readSettings(env)
    for (const warning of warnings) log(`warning: ${warning}`)
    const stopping = new AbortController()
    parts.work = stopping
    const working = compose(settings, { log, version, parts, signal: stopping.signal })
    const reason = await Promise.race([ending.promise, working])
    log(`${reason}, shutting down`)
    parts.store?.update((world) => ({ ...world, stopping: reason }))
  } catch (error) {
    failure = error
    log(`error: ${describe(error)}`)
    parts.store?.update((world) => ({ ...world, stopping: describe(error) }))
  }
  await stopAgent(parts, log, hurry.signal)
  if (failure === undefined) return 0
  leaveReason(terminationLogPath(env), describe(failure), log)
  return 1
}

/** Puts the parts together and runs them; ends only by rejecting. What it started is noted in `parts`. */
async function compose(
  settings: Settings,
  { log, version, parts, signal }: { log: Log; version: string; parts: Stoppable; signal: AbortSignal },
): Promise<never> {
  const waits = settings.shortWaits ? shortWaits : normalWaits
  parts.stopBudgetMs = waits.stopBudget
  const nft = nftables(runCommand)
  const kernelFamilies = await prepareKernel(settings, nft, log)
  signal.throwIfAborted()
  const store = createStore({
    settings,
    kernelFamilies,
    daemon: { phase: 'down', restarts: 0 },
    tailnet: { watching: false, noSnat: false, health: new Map() },
    facets: {},
  })
  parts.store = store

  const endpoint = { world: () => store.world, version, log }
  parts.endpoints.push(
    await openStatusSocket(settings.statusSocket, endpoint),
    await openListener(settings, endpoint.world),
  )
  parts.files = [settings.statusSocket, settings.socket]

  if (forwards(store.world)) {
    const rules = firewall(nft, runCommand)
    parts.firewall = rules
    const facet = runFacet(forwardingFacet(rules), { store, log, waits, signal })
    parts.facets = [facet]
    // The guard must be in place before tailscaled sends its first packet.
    await store.until(({ facets }) => facets[forwardingName]?.verifiedAt !== undefined, signal)
    void watchTable(facet.recheck, (problem) => log(`warning: ${problem}`), signal)
    reportTargets(store, log, signal)
  }

  const daemon = superviseTailscaled({ store, spawn, log, waits, env: firewallEnv(store) })
  parts.daemon = daemon
  linkDefaultSocket(settings.socket, log)
  const api = localApi(settings.socket)
  void followBus({ store, api, log, waits }, signal)
  void followLoginUrl({ store, api, waits }, signal)

  const booted = new AbortController()
  const forever = daemon.run().then(() => new Promise<never>(() => {}))
  const start = async (): Promise<never> => {
    await started(store, signal)
    booted.abort()
    store.update((world) => ({ ...world, startedAt: new Date() }))
    log('Startup complete, waiting for shutdown signal')
    return forever
  }
  return Promise.race([forever, start(), bootDeadline(store, log, waits, AbortSignal.any([booted.signal, signal]))])
}

/** The two must not choose different backends: tailscaled's own `auto` counts rules in every table, ours included. */
const firewallEnv = (store: Store): Record<string, string> =>
  forwards(store.world) ? { TS_DEBUG_FIREWALL_MODE: 'nftables' } : {}

/** Kubelet shows the text in the container's status. The file is never created: where it is absent nobody reads it. */
function leaveReason(path: string, reason: string, log: Log): void {
  if (!existsSync(path)) return
  try {
    writeFileSync(path, reason.slice(0, 4096))
  } catch (error) {
    log(`warning: the reason cannot be left in ${path}: ${describe(error)}`)
  }
}
