import type { Cluster } from '../lab/cluster/cluster.ts'
import { proxyNamespace } from '../lab/cluster/proxy.ts'

const workload = (name: string) => [`statefulset/${name}`, `--namespace=${proxyNamespace}`]

/** Waits until all replicas of a group are ready, and of the newest kind; `timeout` in ms. */
export async function rolledOut(cluster: Cluster, group: string, timeout = 300_000): Promise<void> {
  await cluster.kubectl(['rollout', 'status', ...workload(group), `--timeout=${timeout / 1000}s`], {
    timeout: timeout + 5000,
  })
}

/** Restarts all replicas of a group, one after the other; gives how long it took, in ms. */
export async function restartRollout(cluster: Cluster, group: string): Promise<number> {
  const begun = performance.now()
  await cluster.kubectl(['rollout', 'restart', ...workload(group)])
  await rolledOut(cluster, group)
  return performance.now() - begun
}
