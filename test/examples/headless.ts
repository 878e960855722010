import { askAll, type Host } from '../lab/bed.ts'
import type { Cluster } from '../lab/cluster/cluster.ts'
import { backendObjects } from '../lab/cluster/proxy.ts'

/** Makes a headless Service in the namespace `default`, and its Pods; returns once these are ready. */
export async function headlessService(cluster: Cluster, name: string, pods: readonly string[]): Promise<void> {
  const [service] = backendObjects(name)
  const objects = pods.map((pod) => {
    const object = backendObjects(pod)[1]!
    return { ...object, metadata: { ...object.metadata, labels: { app: name } } }
  })
  await cluster.apply({ ...service!, spec: { ...(service!['spec'] as object), clusterIP: 'None' } }, ...objects)
  for (const pod of pods) await cluster.wait(`pod/${pod}`, 'Ready')
}

/** Who answers many new connections to a node, by each of its families, each once; and what went wrong. */
export async function whoAnswers(client: Host, { v4, v6 }: { v4: string; v6: string }): Promise<string[]> {
  const questions = [v4, v6].flatMap((to) =>
    Array.from({ length: 40 }, () => ({ to, protocol: 'tcp' as const, patience: 5000 })),
  )
  const answers = await askAll(client, questions)
  return [...new Set(answers.map((answer) => (answer instanceof Error ? answer.message : answer.host)))].toSorted()
}
