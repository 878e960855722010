import type { Cluster } from '../lab/cluster/cluster.ts'
import { proxyNamespace } from '../lab/cluster/proxy.ts'
import { patience } from '../lab/patience.ts'

const workload = (name: string, kind = 'statefulset', namespace = proxyNamespace) => [
  `${kind}/${name}`,
  `--namespace=${namespace}`,
]

/** How often soaks do what they repeat; fewer, to see whether they work. */
export const soakTimes = Number(process.env['CULVERT_TEST_TIMES'] ?? 20)

/** The replicas of a group are restarted one after the other, and each may take the full limit. */
const timeout = 3 * patience

/** Waits until all replicas of a group are ready and up to date. */
export async function rolledOut(cluster: Cluster, group: string, kind?: string, namespace?: string): Promise<void> {
  await cluster.kubectl(['rollout', 'status', ...workload(group, kind, namespace), `--timeout=${timeout / 1000}s`], {
    timeout: timeout + patience,
  })
}

/** Restarts all replicas of a group, one after the other; returns how long it took, in ms. */
export async function restartRollout(cluster: Cluster, group: string): Promise<number> {
  const begun = performance.now()
  await cluster.kubectl(['rollout', 'restart', ...workload(group)])
  await rolledOut(cluster, group)
  return performance.now() - begun
}

/** Drains a node of the replicas of a group, and leaves it cordoned. */
export async function drain(cluster: Cluster, node: string, group: string): Promise<void> {
  const how = ['--ignore-daemonsets', '--delete-emptydir-data', '--force', `--timeout=${timeout / 1000}s`]
  const which = `--pod-selector=tailscale.com/parent-resource=${group}`
  await cluster.kubectl(['drain', node, ...how, which], { timeout: timeout + patience })
}
