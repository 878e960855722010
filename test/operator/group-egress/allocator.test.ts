import { describe, expect, it } from 'vitest'
import { UserError } from '../../../kube/controller/controller.ts'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { KubeError } from '../../../kube/error.ts'
import { systemClock } from '../../../lib/clock.ts'
import { ranges } from '../../../operator/group-egress/allocate.ts'
import { allocator, type Asked, type Place } from '../../../operator/group-egress/allocator.ts'
import { readClusterService } from '../../../operator/group-egress/cluster-service.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { worldOf } from '../a-world.ts'
import { inCluster } from './a-group.ts'

const ports = [{ name: 'p5432', port: 5432, protocol: 'TCP' as const }]
const asked = (namespace: string, name: string, more: Partial<Asked> = {}): Asked => ({
  parent: { type: 'svc', namespace, name },
  uid: `uid-${namespace}-${name}`,
  present: undefined,
  group: 'eg',
  ports,
  range: ranges.culvert,
  ...more,
})
const seen = (object: KubeObject) => readClusterService(object)!
const portOf = ({ allocated }: Place): number | undefined => allocated.get('5432/TCP')

/** What is chosen in a cluster with these, after each other. */
async function choose(all: readonly Asked[], ...objects: readonly KubeObject[]): Promise<Place[]> {
  const { place } = allocator(worldOf(...objects), systemClock)
  return Promise.all(all.map((one) => place(one, async (chosen) => chosen)))
}

describe('the place of a Service in a group', () => {
  it('is nobody else’s, also while the cache does not show what was written', async () => {
    const all = Array.from({ length: 900 }, (_, index) => asked('apps', `s${index}`, { range: ranges.upstream }))
    const places = await choose(all)
    expect(new Set(places.map(portOf)).size).toBe(900)
    expect(new Set(places.map(({ key }) => key)).size).toBe(900)
  })

  it('is chosen while others are still being written, and no other Service gets it, however long that takes', async () => {
    const clock = new VirtualClock()
    const { place } = allocator(worldOf(), clock)
    const slow = Promise.withResolvers<undefined>()
    const range = { first: 10_000, last: 10_001 }
    const first = place(asked('apps', 'a', { range }), async (chosen) => {
      await slow.promise
      return chosen
    })
    await clock.advance(3_600_000)
    const second = await place(asked('apps', 'b', { range }), async (chosen) => chosen)
    await expect(place(asked('apps', 'c', { range }), async (chosen) => chosen)).rejects.toThrow(/not 1 of them/)
    slow.resolve(undefined)
    expect(new Set([portOf(await first), portOf(second)])).toEqual(new Set([10_000, 10_001]))
    await expect(place(asked('apps', 'c', { range }), async (chosen) => chosen)).rejects.toThrow(/not 1 of them/)
  })

  it.each([
    ['was refused', new KubeError('no', { status: 403, retryable: false }), 0],
    ['is somebody else’s', new UserError('NotOwned', 'no'), 0],
    ['had no answer', new KubeError('no', { retryable: true }), 120_001],
    ['failed in the API server', new KubeError('no', { status: 504, retryable: true }), 120_001],
    ['was given up', new DOMException('no', 'TimeoutError'), 120_001],
  ])('can be given again when it is certain that it is not written: the write %s', async (_what, error, after) => {
    const clock = new VirtualClock()
    const { place } = allocator(worldOf(), clock)
    const range = { first: 10_000, last: 10_000 }
    await expect(place(asked('apps', 'a', { range }), () => Promise.reject(error))).rejects.toThrow('no')
    const other = async () => portOf(await place(asked('apps', 'b', { range }), async (chosen) => chosen))
    if (after > 0) {
      await clock.advance(after - 2)
      await expect(other()).rejects.toThrow(/not 1 of them/)
      await clock.advance(2)
    }
    expect(await other()).toBe(10_000)
  })

  it('stays, and is free again when the Service is gone', async () => {
    const mine = inCluster({ parent: { namespace: 'apps', name: 'a' }, ports: { 5432: 10_007 } })
    const [kept] = await choose([asked('apps', 'a', { present: seen(mine) })], mine)
    expect(kept).toEqual({ key: 'apps-a', allocated: new Map([['5432/TCP', 10_007]]) })
    const range = { first: 10_007, last: 10_007 }
    await expect(choose([asked('apps', 'b', { range })], mine)).rejects.toThrow(/not 1 of them/)
    expect((await choose([asked('apps', 'b', { range })])).map(portOf)).toEqual([10_007])
  })

  it('is given up by the younger of two that have the same', async () => {
    const old = inCluster({ parent: { namespace: 'apps', name: 'old' }, created: '2026-01-01T00:00:00Z' })
    const young = inCluster({ parent: { namespace: 'apps', name: 'young' }, created: '2026-01-02T00:00:00Z' })
    const [one, other] = await choose(
      [asked('apps', 'old', { present: seen(old) }), asked('apps', 'young', { present: seen(young) })],
      old,
      young,
    )
    expect(portOf(one!)).toBe(10_000)
    expect(portOf(other!)).not.toBe(10_000)
  })

  it('has a name of its own where namespaces and names are ambiguous', async () => {
    const before = inCluster({ parent: { namespace: 'a', name: 'b-c' } })
    const [place] = await choose([asked('a-b', 'c')], before)
    expect(place!.key).toMatch(/^a-b-c-[0-9a-f]{8}$/)
    const after = inCluster({ parent: { namespace: 'a-b', name: 'c' }, key: place!.key, ports: { 5432: 10_001 } })
    const again = await choose([asked('a-b', 'c', { present: seen(after) })], before, after)
    expect(again.map(({ key }) => key)).toEqual([place!.key])
  })

  it('keeps its ports when the Service moves to another group, as far as they are free there', async () => {
    const parent = { namespace: 'apps', name: 'a' }
    const mine = inCluster({ parent, group: 'other', ports: { 5432: 10_007 }, created: '2020-01-01T00:00:00Z' })
    const moves = asked('apps', 'a', { present: seen(mine) })
    expect((await choose([moves], mine)).map(portOf)).toEqual([10_007])
    const taken = inCluster({ parent: { namespace: 'apps', name: 'b' }, ports: { 1: 10_007 } })
    expect((await choose([moves], mine, taken)).map(portOf)).not.toEqual([10_007])
  })
})
