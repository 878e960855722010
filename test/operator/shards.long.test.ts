import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { services } from '../../operator/objects/resources.ts'
import { never } from '../kube/controller/api-bed.ts'
import { ofMany } from '../lab/patience.ts'
import { group, service, type Service } from './group-egress/egress-bed.ts'
import { oneOf } from './random.ts'
import { ReplicasBed } from './replicas-bed.ts'
import { ledBy, Replicas, times } from './replicas.ts'

let here: ReplicasBed
beforeAll(async () => {
  here = await ReplicasBed.start()
  await here.permit(4)
})
afterAll(() => here[Symbol.asyncDispose]())
beforeEach(() => here.printOnFailure())

const divided = (shards: number) => ({ CULVERT_SHARDS: String(shards) })

/** Starts what has ended, as kubelet does. */
async function revive(replicas: Replicas): Promise<void> {
  for (const { name, process } of replicas.all) if (process.hasEnded) await replicas.restart(name)
}

/** Waits until each shard has one leader. */
async function areLed(replicas: Replicas, shards: number): Promise<void> {
  const led = async (): Promise<readonly number[]> => {
    await revive(replicas)
    return replicas.all.flatMap(({ process }) => ledBy(process)).toSorted((one, other) => one - other)
  }
  await expect.poll(led).toEqual(Array.from({ length: shards }, (_, shard) => shard))
}

async function expose(replicas: Replicas, prefix: string, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, number) => `${prefix}-${number}`)
  await Promise.all(names.map((name) => here.expose(name)))
  await here.settles(replicas)
}

test.each([2, 3, 4])(
  '60 Services of %i shards get their proxies once, also while a replica is killed',
  async (shards) => {
    await using replicas = await Replicas.start(here.bed, ['one', 'other'], times, divided(shards))
    await areLed(replicas, shards)
    await expose(replicas, `first-${shards}`, 30)
    const killed = replicas.of('other')
    killed.process.signal('SIGKILL')
    await killed.process.end()
    const others = ledBy(replicas.of('one').process)
    await expose(replicas, `second-${shards}`, 30)
    expect(ledBy(replicas.of('one').process)).toEqual(expect.arrayContaining([...others]))
    await areLed(replicas, shards)
    expect(replicas.broken).toEqual([])
  },
)

test('another number of shards, there and back by replicas that are replaced one after the other, makes nothing twice and leaves nothing out', async () => {
  await using replicas = await Replicas.start(here.bed, ['one', 'other'], times)
  for (const shards of [3, 1, 4, 2]) {
    for (const { name, process } of replicas.all) {
      const exposed = Promise.all([1, 2, 3, 4].map((number) => here.expose(`${name}-${shards}-${number}`)))
      process.signal('SIGTERM')
      await replicas.restart(name, shards === 1 ? { CULVERT_SHARDS: '' } : divided(shards))
      await exposed
      await revive(replicas)
    }
    if (shards > 1) await areLed(replicas, shards)
    await here.settles(replicas)
    expect(replicas.broken).toEqual([])
  }
})

test('Services that change between a group and proxies of their own in any shard, and at last ask for nothing, are what they were before', async () => {
  const { bed, kube } = here
  await using replicas = await Replicas.start(bed, ['one', 'other'], times, divided(3))
  await areLed(replicas, 3)
  await bed.cluster.apply(group('shared', 1))
  const target = { 'tailscale.com/tailnet-fqdn': 'db.lab.ts.net' }
  const names = Array.from({ length: 9 }, (_, number) => `moving-${number}`)
  await bed.cluster.apply(...names.map((name) => service(name, target)))
  const annotate = (name: string, annotations: Readonly<Record<string, string | null>>) =>
    kube.direct.patch(
      services,
      { namespace: 'apps', name },
      { type: 'merge', body: { metadata: { annotations } }, manager: 'test' },
      never,
    )
  const standing = async (name: string): Promise<Service> => {
    await revive(replicas)
    return (await bed.cluster.get<Service>('service', name, 'apps'))!
  }
  for (let round = 0; round < 10; round += 1)
    for (const name of names) await annotate(name, { 'tailscale.com/proxy-group': oneOf(['shared', null]) })
  for (const [number, name] of names.entries())
    await annotate(name, { 'tailscale.com/proxy-group': number % 2 === 0 ? 'shared' : null })
  for (const [number, name] of names.entries()) {
    const wanted = number % 2 === 0 ? 'TailscaleEgressSvcReady' : 'TailscaleProxyReady'
    const ready = async () =>
      (await standing(name)).status.conditions?.flatMap(({ type, status }) => (status === 'True' ? [type] : []))
    await expect.poll(ready, ofMany).toContain(wanted)
  }
  for (const name of names)
    await annotate(name, { 'tailscale.com/proxy-group': null, 'tailscale.com/tailnet-fqdn': null })
  for (const name of names) {
    const left = async () => {
      const { metadata, spec } = await standing(name)
      const { finalizers = [], annotations = {} } = metadata
      return { finalizers, annotations, type: spec['type'], externalName: spec.externalName }
    }
    await expect
      .poll(left, ofMany)
      .toEqual({ finalizers: [], annotations: {}, type: 'ExternalName', externalName: 'unused' })
  }
  await bed.cluster.kubectl(['delete', 'proxygroup', 'shared'])
  await bed.cluster.kubectl(['delete', 'service', '--namespace=apps', ...names])
  await here.settles(replicas)
})

test('thirty random kills, stops and cuts of three replicas with three shards: each Service gets its proxy once', async () => {
  await using replicas = await Replicas.start(here.bed, ['one', 'two', 'three'], times, divided(3))
  await here.survives(replicas, 30)
})
