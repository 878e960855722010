import { type Address, families, familyName } from '../../lib/address.ts'
import { backendsOf } from '../../netfilter/table.ts'
import { certificatesView } from '../certificates/view.ts'
import type { Figures } from '../figures/figures.ts'
import { figuresView } from '../figures/view.ts'
import { attemptedPlan, forwardingKey } from '../forwarding/reconciler.ts'
import { servicesView } from '../forwarding/view.ts'
import { mountedRejections } from '../mounted/views.ts'
import { preshutdownView } from '../preshutdown/view.ts'
import { relayKey } from '../relay/reconciler.ts'
import { relayView } from '../relay/view.ts'
import { serveKey } from '../serve/reconciler.ts'
import { serveView } from '../serve/view.ts'
import { targetsOf } from '../targets/destination.ts'
import { portsView } from '../targets/ports.ts'
import { destinationView } from '../targets/view.ts'
import { reportOf } from '../world/reports.ts'
import type { World } from '../world/world.ts'
import { checks, notReady, type Since } from './checks.ts'

/** Inputs in addition to World. */
export type StatusContext = {
  readonly version: string
  readonly since: Since
  readonly now: Date
  readonly figures?: Figures
  /** The agent's process, and the flags with which it was started; these hold no secrets. */
  readonly agent?: { readonly pid: number; readonly flags: readonly string[] }
}

/** The whole state for people and programs; docs/operations.md documents the shape. */
export function statusView(
  world: World,
  { version, since, now, figures = {}, agent }: StatusContext,
): Record<string, unknown> {
  const { settings, daemon, tailnet, reports, lifecycle } = world
  const reasons = notReady(world)
  return {
    version,
    ready: reasons.length === 0,
    notReady: reasons,
    checks: Object.fromEntries(
      checks(world).map(({ name, state, gates, reason }) => [
        name,
        { state, since: since(name)?.toISOString() ?? null, reason: reason ?? null, gates },
      ]),
    ),
    agent: agent ?? null,
    startedAt: lifecycle.startedAt?.toISOString() ?? null,
    stopping: lifecycle.stopping ?? null,
    tailscaled: {
      phase: daemon.phase,
      pid: daemon.pid ?? null,
      restarts: daemon.restarts,
      problem: daemon.problem ?? null,
      state: tailnet.state ?? null,
      version: tailnet.version ?? null,
      stateIn: settings.userspace ? `userspace, ${settings.state.kind}` : settings.state.kind,
      loginUrl: tailnet.loginUrl ?? null,
      health: [...tailnet.health.values()],
    },
    node: {
      id: tailnet.self?.id ?? null,
      name: tailnet.self?.name ?? null,
      addresses: tailnet.self?.addresses.map(({ text }) => text) ?? [],
      online: tailnet.online ?? null,
      keyExpiry: tailnet.self?.keyExpiry?.toISOString() ?? null,
    },
    firewall: world.firewall ?? null,
    targets: targetsView(world),
    ports: portsView(world),
    relay: relayView(world),
    dns: destinationView(world),
    egress: egressView(world),
    services: servicesView(world),
    ...figuresView(figures),
    certificates: certificatesView(world, now.getTime()),
    serve: serveView(world),
    rejected: mountedRejections(world),
    preshutdown: preshutdownView(world),
    reconcilers: Object.fromEntries(
      Object.entries(reports).map(([name, { verifiedAt, error, repairs }]) => [
        name,
        { verifiedAt: verifiedAt?.toISOString() ?? null, error: error ?? null, repairs },
      ]),
    ),
  }
}

/** L3 egress, and cluster traffic via ingress. */
function egressView(world: World): Record<string, unknown> | null {
  const { settings } = world
  if (settings.tailnetTarget === undefined && settings.viaIngress.length === 0) return null
  const plan = attemptedPlan(world)
  const target = settings.tailnetTarget
  return {
    target: target === undefined ? 'this node' : target.kind === 'name' ? target.name : target.address.text,
    addresses: families.flatMap((family) => plan?.table.catchAll[family] ?? []),
    exempt: settings.exempt,
    problems: [
      ...(plan?.problems ?? ['waiting for the node’s own addresses and the nodes of the tailnet']),
      ...(plan?.unreachable ?? []).map(({ target: { text }, reason }) => `${text}: ${reason}`),
    ],
  }
}

function targetsView(world: World): Record<string, unknown>[] {
  if (world.settings.userspace) return targetsOf(world).map((target) => relayedTarget(world, target))
  const plan = attemptedPlan(world)
  const failed = reportOf(world, forwardingKey)?.error
  return targetsOf(world).map((target) => {
    const own =
      plan === undefined
        ? []
        : [...plan.table.own[target.family].keys()].filter((address) =>
            backendsOf(plan.table, target.family, address).includes(target.text),
          )
    const reason = plan?.unreachable.find((entry) => entry.target.text === target.text)?.reason
    const waiting = plan === undefined ? 'waiting for the node’s own addresses' : 'the rules are not in place yet'
    const problem = reason ?? failed ?? (own.length === 0 ? waiting : undefined)
    return {
      address: target.text,
      family: familyName(target.family),
      forwarded: problem === undefined,
      problem: problem ?? null,
      from: own,
    }
  })
}

/** Without rules, clients of both families reach every target. */
function relayedTarget(world: World, { text, family }: Address): Record<string, unknown> {
  const problem = checks(world).find(
    ({ name, state }) => (name === relayKey.name && state !== 'ok') || (name === serveKey.name && state === 'waiting'),
  )?.reason
  return {
    address: text,
    family: familyName(family),
    forwarded: problem === undefined,
    problem: problem ?? null,
    from: problem === undefined ? (world.tailnet.self?.addresses.map((own) => own.text) ?? []) : [],
  }
}
