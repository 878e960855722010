import { expect, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { ApiError } from '../../../operator/api/error.ts'
import { findGroup } from '../../../operator/group/group.ts'
import { askOf } from '../../../operator/group-ingress/ask.ts'
import { arrivalMs } from '../../../operator/group-ingress/move.ts'
import { provisioner } from '../../../operator/group-ingress/provide.ts'
import { recordOf } from '../../../operator/group-ingress/record.ts'
import { remover } from '../../../operator/group-ingress/remove.ts'
import { requestOf } from '../../../operator/group-ingress/request.ts'
import type { Vips } from '../../../operator/group-ingress/vips.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { settings, worldOf } from '../a-world.ts'
import { db, endpoints, mapping, proxyGroup, replica } from './a-group.ts'

type Tell = Parameters<typeof remover>[0]['tell']

/** When what is known of the tailnet is looked at again. */
const restMs = 300_000
const flight = { signal: new AbortController().signal, wrote: () => {} }

/** A cluster with the Service `db` and one replica of each group that reports what the test says. */
class Cluster {
  readonly clock = new VirtualClock()
  readonly released: string[] = []
  /** The reasons and messages of Events. */
  readonly told: string[] = []
  claiming: () => void = () => {}
  refusal: string | undefined
  releasing: (name: string) => void = () => {}
  #objects: readonly KubeObject[] = [proxyGroup('group'), proxyGroup('other'), endpoints('db', true)]
  #service = db()

  readonly #provide
  constructor() {
    const at = (): ReturnType<typeof worldOf> => worldOf(this.#service, ...this.#objects)
    const world: ReturnType<typeof worldOf> = {
      follows: () => true,
      all: (resource) => at().all(resource),
      get: (resource, key) => at().get(resource, key),
      by: (resource, index, value) => at().by(resource, index, value),
    }
    const vips: Vips = {
      list: async () => [],
      isShared: async () => false,
      release: async (name) => {
        this.releasing(name)
        this.released.push(name)
      },
      claim: async ({ name }) => {
        this.claiming()
        if (this.refusal !== undefined) return { refused: this.refusal, again: restMs }
        const service = { name, addrs: ['100.100.0.1', 'fd7a::1'], comment: '', ports: [], tags: [], annotations: {} }
        return { service, differs: [], again: restMs }
      },
    }
    const applier = {
      apply: async (object: KubeObject) => {
        this.#put(object)
        return 'written' as const
      },
      prune: async (all: Iterable<KubeObject>) => {
        const gone = new Set(all)
        this.#objects = this.#objects.filter((one) => !gone.has(one))
        return gone.size
      },
    }
    const caches = { world, store: () => expect.unreachable() }
    const tell: Tell = async (_about, { reason, message }) => void this.told.push(`${reason}: ${message}`)
    const common = { caches, applier, tell, vips, settings, clock: this.clock }
    const api = { create: () => expect.unreachable() }
    this.#provide = provisioner({ ...common, api, removing: remover(common) })
  }

  #put(object: KubeObject): void {
    const isOther = ({ kind, metadata }: KubeObject): boolean =>
      kind !== object.kind || metadata.name !== object.metadata.name
    this.#objects = [...this.#objects.filter(isOther), object]
  }

  /** What the replica of a group advertises, which all forward that. */
  advertises(group: string, ...names: readonly string[]): void {
    const forwarded = Object.fromEntries(names.map((name) => [`svc:${name}`, mapping]))
    for (const object of replica(`${group}-0`, { forwarded, advertised: names.map((name) => `svc:${name}`) }))
      this.#put(object)
  }

  get #world() {
    return worldOf(this.#service, ...this.#objects)
  }

  /** The Service asks for a name of a group; what it gets is provided until nothing changes by itself any more. */
  async ask(name: string, group = 'group', mostMs = Infinity) {
    const { clusterIPs } = this.#service['spec'] as { clusterIPs: readonly string[] }
    this.#service = db({ 'tailscale.com/hostname': name, 'tailscale.com/proxy-group': group }, { clusterIPs })
    let waited = 0
    for (;;) {
      const before = this.#objects
      const found = findGroup(this.#world, group, settings)
      const ask = askOf(this.#service, settings)!
      if ('missing' in found) throw new Error(found.missing)
      const { wish } = requestOf(this.#service, this.#world, settings)
      const { again, refused } = await this.#provide(ask, wish, found, flight)
      // What is written is an event.
      if (JSON.stringify(before) !== JSON.stringify(this.#objects)) continue
      if (again === restMs || waited + again > mostMs) return refused
      waited += again
      await this.clock.advance(again)
    }
  }

  /** Why a name is refused, as it is kept. */
  refused(name: string): string | undefined {
    return recordOf(this.#world, `svc:${name}`, settings.namespace)?.refused
  }

  /** What there is of a name: the groups that host it, or that it is given up. */
  stands(name: string): string {
    const record = recordOf(this.#world, `svc:${name}`, settings.namespace)
    if (record === undefined) return 'none'
    const { group, former, leaving } = record
    return [[group, ...former].join('+'), ...(leaving.length > 0 ? [`left by ${leaving.join('+')}`] : [])].join(' ')
  }
}

test('an earlier name goes only when the new one has been hosted for a while', async () => {
  const cluster = new Cluster()
  await cluster.ask('db')
  cluster.advertises('group', 'db')
  await cluster.ask('store')
  expect([cluster.stands('db'), cluster.stands('store')]).toEqual(['group', 'group'])
  cluster.advertises('group', 'db', 'store')
  await cluster.ask('store', 'group', arrivalMs - 1)
  expect(cluster.stands('db')).toBe('group')
  // A replica that has just withdrawn it begins anew.
  cluster.advertises('group', 'db')
  await cluster.ask('store')
  cluster.advertises('group', 'db', 'store')
  await cluster.ask('store', 'group', arrivalMs - 1)
  expect(cluster.stands('db')).toBe('group')
  await cluster.ask('store', 'group', arrivalMs)
  expect([cluster.stands('db'), cluster.released]).toEqual(['group left by group', []])
  cluster.advertises('group', 'store')
  await cluster.ask('store')
  expect([cluster.stands('db'), cluster.stands('store'), cluster.released]).toEqual(['none', 'group', ['svc:db']])
})

test('an earlier name that is asked for again stays, and the one that never worked goes', async () => {
  const cluster = new Cluster()
  await cluster.ask('db')
  cluster.advertises('group', 'db')
  await cluster.ask('bad')
  await cluster.ask('store')
  expect(['db', 'bad', 'store'].map((name) => cluster.stands(name))).toEqual(['group', 'group', 'group'])
  await cluster.ask('db')
  expect(['db', 'bad', 'store'].map((name) => cluster.stands(name))).toEqual(['group', 'none', 'none'])
  expect(cluster.released.toSorted()).toEqual(['svc:bad', 'svc:store'])
})

test('an earlier name that Tailscale’s API does not remove is told, and tried again; all else goes on', async () => {
  const cluster = new Cluster()
  for (const name of ['bad', 'worse', 'db', 'store']) await cluster.ask(name)
  let problem: 'forbidden' | 'unavailable' = 'unavailable'
  cluster.releasing = (name) => {
    if (name !== 'svc:db') throw new ApiError('the client lacks the scope services', { problem })
  }
  cluster.advertises('group', 'store')
  const stand = () => ['bad', 'worse', 'db', 'store'].map((name) => cluster.stands(name))
  const left = 'group left by group'
  expect(await cluster.ask('store', 'group', 200_000)).toBeUndefined()
  expect([stand(), cluster.released, cluster.told]).toEqual([[left, left, 'none', 'group'], ['svc:db'], []])
  problem = 'forbidden'
  expect(await cluster.ask('store', 'group', 0)).toBeUndefined()
  expect(stand()).toEqual([left, left, 'none', 'group'])
  expect(cluster.told).toEqual(
    ['svc:bad', 'svc:worse'].map(
      (name) => expect.stringMatching(`^ServiceNotRemoved: ${name}, .* the scope`) as string,
    ),
  )
  cluster.releasing = () => {}
  await cluster.ask('store')
  expect(stand()).toEqual(['none', 'none', 'none', 'group'])
})

test('one that is about to go comes back when it is asked for again, and waits in full when it goes after all', async () => {
  const cluster = new Cluster()
  await cluster.ask('db')
  cluster.advertises('group', 'db', 'store')
  await cluster.ask('store', 'group', 0)
  // The replica goes on hosting both.
  await cluster.ask('store', 'group', 100_000)
  expect(cluster.stands('db')).toBe('group left by group')
  await cluster.ask('db', 'group', 0)
  expect(cluster.stands('db')).toBe('group')
  await cluster.clock.advance(1_000_000)
  await cluster.ask('store', 'group', 110_000)
  expect([cluster.stands('db'), cluster.released]).toEqual(['group left by group', []])
  await cluster.ask('store')
  expect([cluster.stands('db'), cluster.released]).toEqual(['none', ['svc:db']])
})

test('with another group, too, the old group hosts the old name until the new one hosts the new', async () => {
  const cluster = new Cluster()
  await cluster.ask('db')
  cluster.advertises('group', 'db')
  await cluster.ask('store', 'other')
  expect([cluster.stands('db'), cluster.stands('store')]).toEqual(['group', 'other'])
  cluster.advertises('other', 'store')
  await cluster.ask('store', 'other', arrivalMs)
  expect([cluster.stands('db'), cluster.stands('store')]).toEqual(['group left by group', 'other'])
  cluster.advertises('group')
  await cluster.ask('store', 'other')
  expect([cluster.stands('db'), cluster.stands('store')]).toEqual(['none', 'other'])
})

test('a name of somebody else stays refused while Tailscale’s API is away', async () => {
  const cluster = new Cluster()
  await cluster.ask('db')
  cluster.refusal = 'it belongs to somebody else'
  const refused = await cluster.ask('db', 'group', 0)
  expect(refused).toMatchObject({ as: 'invalid', message: 'it belongs to somebody else' })
  cluster.claiming = () => {
    throw new ApiError('away', { problem: 'unavailable' })
  }
  expect(await cluster.ask('db', 'group', 0)).toEqual(refused)
  expect(cluster.refused('db')).toBe('it belongs to somebody else')
})

test('what Tailscale’s API forbids is told, and what is there goes on; not what passes by itself', async () => {
  const cluster = new Cluster()
  await cluster.ask('db')
  cluster.claiming = () => {
    throw new ApiError('the client lacks the scope services', { problem: 'forbidden', status: 403 })
  }
  expect(await cluster.ask('db', 'group', 0)).toMatchObject({
    as: 'failed',
    message: expect.stringContaining('the scope') as string,
  })
  cluster.claiming = () => {
    throw new ApiError('away', { problem: 'unavailable' })
  }
  expect(await cluster.ask('db', 'group', 0)).toBeUndefined()
  expect(cluster.stands('db')).toBe('group')
})
