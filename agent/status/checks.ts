import { isDeepStrictEqual } from 'node:util'
import { families } from '../../lib/address.ts'
import { some } from '../../lib/some.ts'
import { nothingReachable } from '../../netfilter/plan.ts'
import { sharedDomains } from '../certificates/obstacle.ts'
import { certificateProblems } from '../certificates/view.ts'
import { waitingServices } from '../device-config/effective.ts'
import { advertiseName } from '../serve/advertise.ts'
import { deviceConfigName } from '../device-config/reconciler.ts'
import { forwardingName, planForwarding } from '../forwarding/reconciler.ts'
import { servedConfig, serveName } from '../serve/reconciler.ts'
import { stateSecretName } from '../state-secret/reconciler.ts'
import { documents } from '../mounted/documents.ts'
import { mountedRejections } from '../mounted/views.ts'
import { draining } from '../preshutdown/preshutdown.ts'
import { serveProblems } from '../serve/view.ts'
import { serviceProblems } from '../forwarding/view.ts'
import { loginProblem } from '../tailscaled/login.ts'
import { needsPeers } from '../targets/needs-peers.ts'
import { hasAddress, type Store, type World } from '../world/world.ts'

/** One thing that is asked of the agent's state. `waiting`: it has not come to it yet; `failing`: it has gone wrong. */
export type Check = {
  readonly name: string
  readonly state: 'ok' | 'waiting' | 'failing'
  /** Why it is not ok, for people. */
  readonly reason?: string
  /** Whether readiness depends on it: traffic flows without the others. */
  readonly gates: boolean
}

type Outcome = Omit<Check, 'name' | 'gates'>

const ok: Outcome = { state: 'ok' }
const waiting = (reason: string): Outcome => ({ state: 'waiting', reason })
const failing = (reason: string): Outcome => ({ state: 'failing', reason })

/** Every check that applies, in the order in which start-up passes them. Pure. */
export function checks(world: World): Check[] {
  const list: Check[] = []
  const add = (name: string, gates: boolean, outcome: Outcome | undefined): void => {
    if (outcome !== undefined) list.push({ name, gates, ...outcome })
  }
  add('shutdown', true, shutdown(world))
  add(stateSecretName, false, stateSecret(world))
  add(deviceConfigName, false, deviceConfig(world))
  add('tailscaled', true, tailscaled(world))
  add('control-server', false, controlServer(world))
  add('addresses', true, hasAddress(world) ? ok : waiting('the node has no address in the tailnet yet'))
  add(forwardingName, true, forwarding(world))
  add(serveName, true, serve(world))
  add('serve-config', false, serveConfig(world))
  add(advertiseName, false, advertise(world))
  add('services', false, services(world))
  add('certificates', false, certificates(world))
  return list
}

function shutdown(world: World): Outcome {
  const reason = world.stopping === undefined ? draining(world) : `stopping: ${world.stopping}`
  return reason === undefined ? ok : failing(reason)
}

function tailscaled(world: World): Outcome {
  const { daemon, tailnet, reissue } = world
  if (tailnet.silent !== undefined) return failing(`tailscaled does not answer: ${tailnet.silent}`)
  if (daemon.phase === 'running' && tailnet.state === 'Running') return ok
  if (reissue !== undefined) return failing(`waiting for another auth key, since login failed: ${reissue.reason}`)
  const refused = daemon.problem !== undefined || tailnet.health.has('login-state')
  return (refused ? failing : waiting)(loginProblem(world))
}

function controlServer({ tailnet: { state, online } }: World): Outcome | undefined {
  if (state !== 'Running' || online === undefined) return undefined
  return online
    ? ok
    : failing(
        'it cannot be reached, or does not know this node any more: what changes in the tailnet is not heard of. ' +
          'If the device was removed there, restart the Pod with an auth key',
      )
}

function forwarding(world: World): Outcome | undefined {
  const wanted = planForwarding(world)
  if (wanted === undefined) return undefined
  const report = world.facets[forwardingName]
  if (report?.error !== undefined) return failing(report.error)
  if (wanted === 'guard' || !isDeepStrictEqual(report?.desired, wanted))
    return waiting('the rules are not in place yet')
  if (nothingReachable(wanted)) return failing('no target can be reached')
  // L3 egress has one target: without it nothing flows. Services stand each for itself.
  const leadsNowhere =
    world.settings.tailnetTarget !== undefined &&
    families.every((family) => wanted.table.everything[family] === undefined)
  if (leadsNowhere) return waiting(wanted.problems.join('; '))
  return needsPeers(world.settings) && world.contactedAt === undefined
    ? waiting('not all targets have answered yet, and some may still do')
    : ok
}

function certificates(world: World): Outcome | undefined {
  if (sharedDomains(world).length === 0) return undefined
  const { waiting: awaited, failing: failed } = certificateProblems(world)
  if (failed.length > 0) return failing(some(failed))
  return awaited.length > 0 ? waiting(some(awaited)) : ok
}

function services(world: World): Outcome | undefined {
  const { settings } = world
  if (settings.egressServicesDirectory === undefined && settings.ingressServicesFile === undefined) return undefined
  return failingFor([
    ...rejectionsOf(world, (file) => file !== documents.serveConfig.name),
    ...serviceProblems(world).map(({ service, problem }) => `${service}: ${problem}`),
  ])
}

function rejectionsOf(world: World, ofFile: (name: string) => boolean): string[] {
  return mountedRejections(world)
    .filter(({ file }) => ofFile(file))
    .map(({ file, entry, field, reason }) => [file, entry, field, reason].filter((part) => part !== '').join(': '))
}

function failingFor(problems: readonly string[]): Outcome {
  if (problems.length === 0) return ok
  return failing(some(problems))
}

/** Whether anything is served that was asked for. */
function serve(world: World): Outcome | undefined {
  if (world.settings.serveConfigFile === undefined) return undefined
  const served = servedConfig(world)
  const error = world.facets[serveName]?.error
  if (served === undefined) return error === undefined ? waiting('nothing is served yet') : failing(error)
  const [first] = serveProblems(world)
  return Object.keys(served).length === 0 && first !== undefined ? waiting(`nothing is served: ${first.problem}`) : ok
}

/** Whether all of it is. */
function serveConfig(world: World): Outcome | undefined {
  if (world.settings.serveConfigFile === undefined) return undefined
  const error = world.facets[serveName]?.error
  return failingFor([
    ...(error === undefined ? [] : [error]),
    ...rejectionsOf(world, (file) => file === documents.serveConfig.name),
    ...serveProblems(world).map(({ entry, problem }) => `${entry}: ${problem}`),
  ])
}

function advertise(world: World): Outcome | undefined {
  const report = world.facets[advertiseName]
  const listed = world.deviceConfig?.current.config.advertiseServices ?? []
  if (report === undefined && listed.length === 0) return undefined
  if (report?.error !== undefined) return failing(report.error)
  const held = waitingServices(world)
  return held.length === 0 ? ok : waiting(`neither served nor forwarded yet, so not advertised: ${some(held)}`)
}

function stateSecret({ stateSecret: secret, facets }: World): Outcome | undefined {
  if (secret === undefined) return undefined
  const error = facets[stateSecretName]?.error ?? secret.problem ?? secret.broken
  if (error !== undefined) return failing(error)
  return secret.access === undefined ? waiting('the Secret has not been read yet') : ok
}

function deviceConfig({ deviceConfig: config, facets }: World): Outcome | undefined {
  if (config === undefined) return undefined
  const error = config.rejected ?? facets[deviceConfigName]?.error
  return error === undefined ? ok : failing(`${error}; the last good one stays in use`)
}

/** Keeps in World.since when each check came into its present state, until `signal` aborts. */
export function trackChecks(store: Store, signal: AbortSignal): void {
  const look = (): void => {
    const { since } = store.world
    const now = checks(store.world)
    if (now.every(({ name, state }) => since[name]?.state === state)) return
    const at = new Date()
    const entries = now.map(({ name, state }) => {
      const known = since[name]
      return [name, known?.state === state ? known : { state, at }] as const
    })
    store.update((world) => ({ ...world, since: Object.fromEntries(entries) }))
  }
  store.watch(look, signal)
  look()
}

/** What is not as it should be; empty means ready. */
export const notReady = (world: World): string[] =>
  checks(world).flatMap(({ name, state, gates, reason }) => (gates && state !== 'ok' ? [`${name}: ${reason}`] : []))

/** The checks one a line, as Kubernetes' own components answer `?verbose`. */
export function renderChecks(world: World): string {
  const lines = checks(world).map(({ name, state, gates, reason }) => {
    if (state === 'ok') return `[+]${name} ok`
    const since = world.since[name]?.at.toISOString() ?? 'now'
    const mark = gates ? '-' : '!'
    return `[${mark}]${name} ${state} since ${since}: ${reason}${gates ? '' : ' (traffic does not depend on it)'}`
  })
  return [...lines, `readyz check ${notReady(world).length === 0 ? 'passed' : 'failed'}`].join('\n')
}
