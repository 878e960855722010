import { infoMetric, type Metric, type Sample } from '../../lib/metrics.ts'
import { certificateMetrics } from '../certificates/view.ts'
import type { Figures } from '../figures/figures.ts'
import { figuresMetrics } from '../figures/view.ts'
import { attemptedPlan } from '../forwarding/reconciler.ts'
import { serviceProblems } from '../forwarding/view.ts'
import { mountedMetrics } from '../mounted/views.ts'
import { relayMetrics } from '../relay/view.ts'
import { serveCounts, serveProblems } from '../serve/view.ts'
import { destinationMetrics } from '../targets/view.ts'
import type { World } from '../world/world.ts'
import { checks, notReady, type Since } from './checks.ts'

/** Inputs in addition to World: `startTime` in seconds since 1970, `tailscaledUp` whether it has answered just now. */
export type Circumstances = {
  readonly version: string
  readonly startTime: number
  readonly tailscaledUp: boolean
  readonly since: Since
  readonly now: Date
  readonly figures?: Figures
}

const states = ['ok', 'waiting', 'failing'] as const

/** The agent's own metrics, computed from World; docs/operations.md documents them. */
export function metrics(world: World, circumstances: Circumstances): Metric[] {
  const { version, startTime, tailscaledUp, since, now, figures = {} } = circumstances
  const { online, self } = world.tailnet
  const all = checks(world)
  const reports = Object.entries(world.reports)
  return [
    gauge('build_info', 'Always 1; the version is its label.', [{ labels: { version }, value: 1 }]),
    gauge('start_time_seconds', 'When the agent started, in seconds since 1970.', [{ value: startTime }]),
    gauge('ready', 'Whether traffic flows: 1 when every check that gates readiness is ok.', [
      { value: Number(notReady(world).length === 0) },
    ]),
    gauge(
      'check_state',
      'State of each check: 1 for the one it is in.',
      all.flatMap(({ name, state }) =>
        states.map((one) => ({ labels: { check: name, state: one }, value: Number(one === state) })),
      ),
    ),
    gauge(
      'check_since_timestamp_seconds',
      'When each check came into its state, in seconds since 1970.',
      all.flatMap(({ name }) => timed({ check: name }, since(name))),
    ),
    counter(
      'reconciler_repairs_total',
      'How often a reconciler put right what another program had changed.',
      reports.map(([reconciler, { repairs }]) => ({ labels: { reconciler }, value: repairs })),
    ),
    counter(
      'reconciler_failures_total',
      'How often an attempt of a reconciler failed.',
      reports.map(([reconciler, { failures }]) => ({ labels: { reconciler }, value: failures })),
    ),
    gauge(
      'reconciler_verified_timestamp_seconds',
      'When what a reconciler keeps was last read back and right, in seconds since 1970.',
      reports.flatMap(([reconciler, { verifiedAt }]) => timed({ reconciler }, verifiedAt)),
    ),
    gauge(
      'control_connected',
      'Whether the node is connected to the control server.',
      online === undefined ? [] : [{ value: Number(online) }],
    ),
    gauge('node_key_expiry_timestamp_seconds', 'When the key of the node expires, in seconds since 1970.', [
      ...timed({}, self?.keyExpiry),
    ]),
    ...figuresMetrics(figures),
    ...mountedMetrics(world),
    ...destinationMetrics(world),
    ...relayMetrics(world),
    gauge('services', 'Services of the mounted files, by whether traffic to them is forwarded.', serviceCounts(world)),
    infoMetric(
      'culvert_service_problem_info',
      'Services that get no traffic, or less than they could, and why; at most 100.',
      serviceProblems(world).map(({ service, problem }) => ({ service, reason: problem })),
    ),
    ...certificateMetrics(world, now.getTime()),
    gauge(
      'serve_entries',
      'Entries of the serve config, which are ports of the node and Tailscale Services, by whether they are served.',
      Object.entries(serveCounts(world) ?? {}).map(([state, value]) => ({ labels: { state }, value })),
    ),
    infoMetric(
      'culvert_serve_problem_info',
      'Entries of the serve config that are not served yet, and why; at most 100.',
      serveProblems(world).map(({ entry, problem }) => ({ entry, reason: problem })),
    ),
    gauge('tailscaled_up', 'Whether tailscaled gave its own metrics, which then follow.', [
      { value: Number(tailscaledUp) },
    ]),
    counter('tailscaled_restarts_total', 'How often tailscaled had to be started again.', [
      { value: world.daemon.restarts },
    ]),
  ]
}

function serviceCounts(world: World): Sample[] {
  const plan = attemptedPlan(world)
  if (plan === undefined) return []
  const { egressServicesDirectory, ingressServicesFile } = world.settings
  const kinds = [
    ...(egressServicesDirectory === undefined ? [] : (['egress'] as const)),
    ...(ingressServicesFile === undefined ? [] : (['ingress'] as const)),
  ]
  return kinds.flatMap((kind) => {
    const services = [...plan[kind].values()]
    const forwarded = services.filter(({ programmed }) => programmed.length > 0).length
    return [
      { labels: { kind, state: 'forwarded' }, value: forwarded },
      { labels: { kind, state: 'unreachable' }, value: services.length - forwarded },
    ]
  })
}

const gauge = (name: string, help: string, samples: Sample[]): Metric => ({
  name: `culvert_${name}`,
  type: 'gauge',
  help,
  samples,
})
const counter = (name: string, help: string, samples: Sample[]): Metric => ({
  name: `culvert_${name}`,
  type: 'counter',
  help,
  samples,
})

const timed = (labels: Record<string, string>, at: Date | undefined): Sample[] =>
  at === undefined ? [] : [{ labels, value: at.getTime() / 1000 }]
