import type { Metric } from '../../lib/metrics.ts'
import type { World } from '../world/world.ts'

/** The name of L3 ingress and what is known of it, for the status; docs/operations.md documents the shape. */
export function destinationView({ settings, destination }: World): Record<string, unknown> | null {
  if (settings.targetName === undefined || destination === undefined) return null
  const { addresses, left, resolved, nextAt, failures } = destination
  return {
    name: settings.targetName,
    resolvedAs: resolved?.as ?? null,
    addresses: addresses.map(({ text }) => text),
    leaving: left.map(({ address }) => address.text),
    resolvedAt: resolved?.at.toISOString() ?? null,
    nextAt: nextAt?.toISOString() ?? null,
    failures,
    problems: destinationProblems(destination),
  }
}

/** What is wrong with the name or with its addresses. */
export const destinationProblems = ({ problem, refused }: NonNullable<World['destination']>): readonly string[] =>
  problem === undefined ? refused : [problem, ...refused]

export function destinationMetrics({ settings, destination }: World): Metric[] {
  if (settings.targetName === undefined || destination === undefined) return []
  const { addresses, resolved, nextAt, failures } = destination
  const labels = { name: settings.targetName }
  const one = (name: string, help: string, value: number | undefined, type: Metric['type'] = 'gauge'): Metric => ({
    name: `culvert_dns_${name}`,
    type,
    help,
    samples: value === undefined ? [] : [{ labels, value }],
  })
  const seconds = (at: Date | undefined): number | undefined => at && at.getTime() / 1000
  return [
    one('addresses', 'How many addresses of the name of L3 ingress are in use.', addresses.length),
    one('resolved_timestamp_seconds', 'When it last had addresses, in seconds since 1970.', seconds(resolved?.at)),
    one('next_timestamp_seconds', 'When it is resolved again, in seconds since 1970.', seconds(nextAt)),
    one('failures_total', 'How often it could not be resolved.', failures, 'counter'),
  ]
}
