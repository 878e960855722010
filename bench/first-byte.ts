import { setTimeout as delay } from 'node:timers/promises'
import { configMaps } from '../operator/objects/resources.ts'
import { ApiBed, never } from '../test/kube/controller/api-bed.ts'
import { ask } from '../test/lab/bed.ts'
import type { Progress } from '../test/lab/progress.ts'
import { EgressGroupCluster, echoPort } from '../test/operator/e2e/egress-group-cluster.ts'
import { namespace } from '../test/operator/operator-process.ts'
import { inBed } from './in-bed.ts'
import type { Row, Section } from './section.ts'

/** New Services of which kubelet is told, and of which it is not, and changes that are watched. */
export type FirstByteSize = { readonly told: number; readonly alone: number; readonly watched: number }

/** The number of progress steps of `measureFirstByte`. */
export const firstByteSteps = 4

type Group = 'egress' | 'theirs'

/** How soon a new Service of an egress group works, with kubelet's default `syncFrequency`. */
export async function measureFirstByte(size: FirstByteSize, steps: Progress): Promise<Section> {
  const cluster = steps.step('start a cluster with egress groups', () =>
    EgressGroupCluster.start({ nodes: 1, syncFrequency: '1m' }),
  )
  return await inBed(
    cluster.then(({ bed }) => bed),
    async () => {
      await using started = await cluster
      return await measure(started, size, steps)
    },
  )
}

async function measure(cluster: EgressGroupCluster, size: FirstByteSize, steps: Progress): Promise<Section> {
  await cluster.addUpstream('theirs')
  await firstByte(cluster, 'warm-ours', 'egress')
  await firstByte(cluster, 'warm-theirs', 'theirs')
  const told = await steps.step('kubelet is told', async () => {
    const [ours, theirs]: number[][] = [[], []]
    for (let repeat = 0; repeat < size.told; repeat += 1) {
      ours!.push(await firstByte(cluster, `told-ours-${repeat}`, 'egress'))
      theirs!.push(await firstByte(cluster, `told-theirs-${repeat}`, 'theirs'))
    }
    return { ours: ours!, theirs: theirs! }
  })
  const watched = await steps.step('a watch of the API', () => watchedChanges(cluster, size.watched))
  const alone = await steps.step('kubelet looks by itself', async () => {
    await forbidTelling(cluster)
    const each = (group: Group) =>
      Promise.all(
        Array.from({ length: size.alone }, async (_, index) => {
          // Kubelet looks at times that do not depend on ours.
          await delay(index * 7000)
          return firstByte(cluster, `alone-${group}-${index}`, group)
        }),
      )
    const [ours, theirs] = await Promise.all([each('egress'), each('theirs')])
    return { ours, theirs }
  })
  const row = (what: string, ours: readonly number[], other: readonly number[] = []): Row => ({
    what,
    unit: 's',
    better: 'less',
    ours,
    other,
  })
  return {
    title: 'A new Service of an egress group',
    against: 'kubelet by itself',
    rows: [
      row('from its creation to the first answer, Culvert’s agent', told.ours, alone.ours),
      row('… Tailscale’s agent', told.theirs, alone.theirs),
      row('from the change of a ConfigMap to its event at a watch of it', watched),
    ],
    note:
      'Kubelet has its default syncFrequency, one minute. The operator tells it to look at the files of a group’s Pods by ' +
      'a change of an annotation; on the other side it has no right to do that, which is how Tailscale’s operator works. ' +
      'A client connects to the cluster IP of the Service from when it has one, until the target in the tailnet answers. ' +
      'The last row is what an agent that watches the ConfigMap itself would have instead of kubelet’s part.',
  }
}

/** In seconds. */
async function firstByte(cluster: EgressGroupCluster, name: string, group: Group): Promise<number> {
  const begun = performance.now()
  await cluster.add(name, 'db', { 'tailscale.com/proxy-group': group })
  for (;;) {
    const to = (await cluster.addresses(name)).v4
    const question = { to, port: echoPort, protocol: 'tcp', patience: 2000 } as const
    const answer = to === '' ? undefined : await ask(cluster.clients[0]!, question).catch(() => undefined)
    if (answer !== undefined) return (performance.now() - begun) / 1000
    await delay(50)
  }
}

/** In seconds, from the answer to a change until a watch of the ConfigMap shows it. */
async function watchedChanges({ bed }: EgressGroupCluster, count: number): Promise<number[]> {
  await using kube = await ApiBed.start(bed)
  const name = { namespace, name: 'watched' }
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: name }
  const { metadata } = await kube.direct.create(configMaps, object, never)
  const scope = { namespace, fields: 'metadata.name=watched' }
  const watch = kube.direct.watch(configMaps, { scope, version: metadata.resourceVersion!, seconds: 600 }, never)
  await watch.next()
  const took: number[] = []
  for (let index = 0; index < count; index += 1) {
    const begun = performance.now()
    const patch = { type: 'merge', body: { data: { index: String(index) } }, manager: 'bench' } as const
    await Promise.all([kube.direct.patch(configMaps, name, patch, never), watch.next()])
    took.push((performance.now() - begun) / 1000)
  }
  await watch.return(undefined)
  return took
}

/** Takes from the operator the right to change Pods, so that kubelet is told nothing any more. */
async function forbidTelling({ bed }: EgressGroupCluster): Promise<void> {
  type Role = {
    readonly rules: readonly { readonly resources: readonly string[]; readonly verbs: readonly string[] }[]
  }
  const role = await bed.cluster.get<Role>('role', 'operator', namespace)
  const index = role!.rules.findIndex(({ resources }) => resources.includes('pods'))
  const body = JSON.stringify([
    {
      op: 'replace',
      path: `/rules/${index}/verbs`,
      value: role!.rules[index]!.verbs.filter((verb) => verb !== 'patch'),
    },
  ])
  await bed.cluster.kubectl(['patch', 'role', 'operator', `--namespace=${namespace}`, '--type=json', `--patch=${body}`])
}
