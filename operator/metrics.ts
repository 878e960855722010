import type { Shards } from '../kube/controller/election/shards.ts'
import { controllerMetrics } from '../kube/controller/health.ts'
import type { Resource } from '../kube/controller/resource.ts'
import type { Metric } from '../lib/metrics.ts'
import { tally } from '../lib/tally.ts'
import type { Operator } from './compose.ts'
import { finalizer, labels, leaseOf } from './objects/names.ts'

/** Counts the requests to both APIs. */
export function requestCounts() {
  const counts = tally('api', 'verb', 'code')
  const suspended = new Set<object>()
  const add = (api: string, verb: string, status: number | undefined): void =>
    // As Kubernetes says of requests without an answer.
    counts.add(api, verb, status === undefined ? '<error>' : String(status))
  return {
    ofKubernetes: ({ verb }: { readonly verb: string }, status: number | undefined) => add('kubernetes', verb, status),
    ofTailscale: ({ method }: { readonly method: string }, status: number | undefined) =>
      add('tailscale', method.toLowerCase(), status),
    /** Gives what a client tells whether it sends no calls now. */
    suspending: () => {
      const client = {}
      return (is: boolean): void => void (is ? suspended.add(client) : suspended.delete(client))
    },
    metrics: (): readonly Metric[] => [
      {
        name: 'culvert_api_requests_total',
        type: 'counter',
        help: 'Requests, each attempt counted, by API, verb and status.',
        samples: counts.samples(),
      },
      {
        name: 'culvert_api_suspended',
        type: 'gauge',
        help: '1 while no calls are sent to an API, since the last ones had no answer.',
        samples: [{ labels: { api: 'tailscale' }, value: suspended.size > 0 ? 1 : 0 }],
      },
    ],
  }
}

export type RequestCounts = ReturnType<typeof requestCounts>

/** Everything that the operator tells Prometheus. */
export function operatorMetrics(
  { controllers, sources, caches }: Operator,
  { all, source }: Pick<Shards, 'all' | 'source'>,
  requests: RequestCounts,
): Metric[] {
  return [
    {
      name: 'leader_election_master_status',
      type: 'gauge',
      help: '1 in the replica that works, 0 in those that stand by.',
      samples: all.map(({ isLeader }, shard) => ({ labels: { name: leaseOf(shard) }, value: isLeader() ? 1 : 0 })),
    },
    ...controllerMetrics([...sources(), source], controllers),
    ...requests.metrics(),
    managedObjects(caches),
  ]
}

/** What the operator has made, and what it has a finalizer on. */
function managedObjects({ world, written }: Operator['caches']): Metric {
  const count = (resource: Resource): number =>
    [...world.all(resource)].filter(
      ({ metadata }) =>
        metadata.labels?.[labels.managed] === 'true' || metadata.finalizers?.includes(finalizer) === true,
    ).length
  return {
    name: 'culvert_managed_objects',
    type: 'gauge',
    help: 'Objects that the operator has made, or that ask for something of it, by kind.',
    samples: written.map(({ resource }) => ({ labels: { kind: resource.kind }, value: count(resource) })),
  }
}
