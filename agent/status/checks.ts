import { families } from '../../lib/address.ts'
import { readable } from '../../lib/quote.ts'
import { some } from '../../lib/some.ts'
import { nothingReachable } from '../../netfilter/plan.ts'
import { keptDomains } from '../certificates/blocker.ts'
import { certificateProblems } from '../certificates/view.ts'
import { waitingServices } from '../device-config/effective.ts'
import { deviceConfigKey } from '../device-config/reconciler.ts'
import { forwardingKey, planForwarding } from '../forwarding/reconciler.ts'
import { serviceProblems } from '../forwarding/view.ts'
import { documents } from '../mounted/documents.ts'
import { mountedRejections } from '../mounted/views.ts'
import { relayKey } from '../relay/reconciler.ts'
import { advertiseKey } from '../serve/advertise.ts'
import { servedConfig, serveKey } from '../serve/reconciler.ts'
import { serveProblems } from '../serve/view.ts'
import { serves } from '../serve/wanted.ts'
import { stateSecretKey } from '../state-secret/reconciler.ts'
import { loginProblem } from '../tailscaled/login.ts'
import { isUnresolved } from '../targets/destination.ts'
import { needsPeers } from '../targets/needs-peers.ts'
import { forwardsByServe, portProblems } from '../targets/ports.ts'
import { reportOf, wasAttempted } from '../world/reports.ts'
import { hasAddress, type World } from '../world/world.ts'

/** One check of the agent's state. `waiting`: not ok yet; `failing`: something is wrong. */
export type Check = {
  readonly name: string
  readonly state: 'ok' | 'waiting' | 'failing'
  /** Why it is not ok, for people. */
  readonly reason?: string
  /** Whether readiness depends on it: without the others, traffic still flows. */
  readonly gates: boolean
}

/** When a check entered its present state; undefined before the first evaluation. */
export type Since = (check: string) => Date | undefined

type Outcome = Omit<Check, 'name' | 'gates'>

const ok: Outcome = { state: 'ok' }
const waiting = (reason: string): Outcome => ({ state: 'waiting', reason })
const failing = (reason: string): Outcome => ({ state: 'failing', reason })

/** All applicable checks, in the order of start-up. Pure. */
export function checks(world: World): Check[] {
  const list: Check[] = []
  const add = (name: string, gates: boolean, outcome: Outcome | undefined): void => {
    if (outcome !== undefined) list.push({ name, gates, ...outcome })
  }
  add('shutdown', true, shutdown(world))
  add(stateSecretKey.name, false, stateSecret(world))
  add(deviceConfigKey.name, false, deviceConfig(world))
  add('tailscaled', true, tailscaled(world))
  add('control-server', false, controlServer(world))
  add('addresses', true, hasAddress(world) ? ok : waiting('the node has no address in the tailnet yet'))
  add(forwardingKey.name, true, forwarding(world))
  add('ports', false, world.settings.targetPorts && failingFor(portProblems(world)))
  add(relayKey.name, true, relay(world))
  add('dns', false, dns(world))
  add(serveKey.name, true, serve(world))
  add('serve-config', false, serveConfig(world))
  add(advertiseKey.name, false, advertise(world))
  add('services', false, services(world))
  add('certificates', false, certificates(world))
  return list
}

const shutdown = ({ lifecycle: { stopping } }: World): Outcome =>
  stopping === undefined ? ok : failing(`stopping: ${stopping}`)

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
  const error = reportOf(world, forwardingKey)?.error
  if (error !== undefined) return failing(error)
  if (wanted === 'guard' && isUnresolved(world)) return waiting(`${unresolvedReason(world)}: nothing is forwarded yet`)
  if (wanted === 'guard' || !wasAttempted(world, forwardingKey, wanted))
    return waiting('the rules are not in place yet')
  if (nothingReachable(wanted)) return failing('no target can be reached')
  // L3 egress has a single target, without which nothing flows. Services are independent of each other.
  const leadsNowhere =
    world.settings.tailnetTarget !== undefined &&
    families.every((family) => wanted.table.catchAll[family] === undefined)
  if (leadsNowhere) return waiting(wanted.problems.join('; '))
  return needsPeers(world.settings) && world.contact.since === undefined
    ? waiting('not all targets have answered yet, and some may still do')
    : ok
}

function relay(world: World): Outcome | undefined {
  if (!forwardsByServe(world.settings)) return undefined
  if (isUnresolved(world)) return waiting(`${unresolvedReason(world)}: nothing is forwarded yet`)
  const report = reportOf(world, relayKey)
  if (report?.error !== undefined) return failing(report.error)
  return report?.verified === undefined ? waiting('the ports are not open yet') : ok
}

const unresolvedReason = ({ settings: { targetName }, destination }: World): string =>
  destination?.problem ?? `${targetName} has not been resolved yet`

function dns(world: World): Outcome | undefined {
  const { destination } = world
  if (destination === undefined) return undefined
  if (isUnresolved(world)) return (destination.problem === undefined ? waiting : failing)(unresolvedReason(world))
  const { problem } = destination
  return failingFor(problem === undefined ? destination.refused : [`${problem}; the last good addresses stay in use`])
}

function certificates(world: World): Outcome | undefined {
  if (keptDomains(world).length === 0) return undefined
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

/** Whether anything that was asked for is served. */
function serve(world: World): Outcome | undefined {
  if (!serves(world.settings)) return undefined
  const served = servedConfig(world)
  const error = reportOf(world, serveKey)?.error
  if (served === undefined) return error === undefined ? waiting('nothing is served yet') : failing(error)
  if (Object.keys(served).length > 0) return ok
  if (error !== undefined) return failing(`nothing is served: ${error}`)
  const [first] = serveProblems(world)
  if (first !== undefined) return waiting(`nothing is served: ${first.problem}`)
  // An absent file, which may come later, is reported by the check below.
  const rejected = world.mounted.serveConfig?.content?.rejections ?? []
  return rejected.length > 0
    ? failing(`nothing is served: ${some(rejected.map(({ entry, reason }) => `${entry}: ${reason}`))}`)
    : ok
}

/** Whether all of it is. */
function serveConfig(world: World): Outcome | undefined {
  if (world.settings.serveConfigFile === undefined) return undefined
  const error = reportOf(world, serveKey)?.error
  return failingFor([
    ...(error === undefined ? [] : [error]),
    ...rejectionsOf(world, (file) => file === documents.serveConfig.name),
    ...serveProblems(world).map(({ entry, problem }) => `${entry}: ${problem}`),
  ])
}

function advertise(world: World): Outcome | undefined {
  const report = reportOf(world, advertiseKey)
  const listed = world.deviceConfig?.file.content.config.advertiseServices ?? []
  if (report === undefined && listed.length === 0) return undefined
  if (report?.error !== undefined) return failing(report.error)
  const held = waitingServices(world)
  return held.length === 0 ? ok : waiting(`neither served nor forwarded yet, so not advertised: ${some(held)}`)
}

function stateSecret(world: World): Outcome | undefined {
  const { stateSecret: secret } = world
  if (secret === undefined) return undefined
  const error = reportOf(world, stateSecretKey)?.error ?? secret.problem ?? secret.broken
  if (error !== undefined) return failing(error)
  return secret.access === undefined ? waiting('the Secret has not been read yet') : ok
}

function deviceConfig(world: World): Outcome | undefined {
  if (world.deviceConfig === undefined) return undefined
  const error = world.deviceConfig.file.rejected ?? reportOf(world, deviceConfigKey)?.error
  return error === undefined ? ok : failing(`${error}; the last good one stays in use`)
}

/** Everything that is wrong; empty means ready. */
export const notReady = (world: World): string[] =>
  checks(world).flatMap(({ name, state, gates, reason }) => (gates && state !== 'ok' ? [`${name}: ${reason}`] : []))

/** One line per check, like the `?verbose` answers of Kubernetes' own components. */
export function renderChecks(world: World, sinceOf: Since): string {
  const lines = checks(world).map(({ name, state, gates, reason }) => {
    if (state === 'ok') return `[+]${name} ok`
    const since = sinceOf(name)?.toISOString() ?? 'now'
    const mark = gates ? '-' : '!'
    return `[${mark}]${name} ${state} since ${since}: ${reason}${gates ? '' : ' (traffic does not depend on it)'}`
  })
  return [...lines.map(readable), `readyz check ${notReady(world).length === 0 ? 'passed' : 'failed'}`].join('\n')
}
