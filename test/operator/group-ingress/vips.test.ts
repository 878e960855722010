import { expect, test } from 'vitest'
import type { TailscaleService } from '../../../operator/api/api.ts'
import { ApiError } from '../../../operator/api/error.ts'
import type { Identity } from '../../../operator/group-ingress/identity.ts'
import { type ServiceApi, vips } from '../../../operator/group-ingress/vips.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'

const never = new AbortController().signal
const wish = { name: 'svc:web', ports: ['tcp:443'], tags: ['tag:k8s'] }

/** A tailnet's Services, and what was asked of them. */
class Tailnet implements ServiceApi {
  readonly all = new Map<string, TailscaleService>()
  readonly calls: string[] = []
  /** Called before each call is done, and after it has been. */
  seen: (call: string, done: boolean) => Promise<void> | void = () => {}

  async #call<T>(call: string, action: () => T): Promise<T> {
    this.calls.push(call)
    await this.seen(call, false)
    const value = action()
    await this.seen(call, true)
    return value
  }
  readonly getService = (name: string) => this.#call(`get ${name}`, () => this.all.get(name))
  readonly listServices = () => this.#call('list', () => [...this.all.values()])
  readonly putService = async (service: TailscaleService) => {
    await this.#call(`put ${service.name}`, () =>
      this.all.set(service.name, { ...service, addrs: this.all.get(service.name)?.addrs ?? ['100.100.0.1'] }),
    )
    return this.all.get(service.name)!
  }
  readonly removeService = (name: string) => this.#call(`remove ${name}`, () => void this.all.delete(name))
}

function operator(tailnet: Tailnet, operatorId: string, clock = new VirtualClock()) {
  const who: Identity = { operatorId, former: [], place: `cluster of ${operatorId}` }
  return { clock, shared: vips({ api: tailnet, identity: async () => who, clock, random: () => 0.5 }) }
}
const ownersOf = (tailnet: Tailnet): string =>
  tailnet.all
    .get('svc:web')
    ?.annotations['tailscale.com/owner-references']?.match(/east|west/g)
    ?.join() ?? 'none'

test('what is known is not asked for again for some minutes, and one list serves all', async () => {
  const tailnet = new Tailnet()
  const { clock, shared } = operator(tailnet, 'east')
  const names = ['svc:web', 'svc:a', 'svc:b']
  const claimAll = () => Promise.all(names.map((name) => shared.claim({ ...wish, name }, never)))
  await claimAll()
  expect(tailnet.calls.filter((call) => call === 'list')).toEqual(['list'])
  expect(tailnet.all.size).toBe(3)
  const { length } = tailnet.calls
  await claimAll()
  expect(tailnet.calls.length).toBe(length)
  const [first] = await claimAll()
  expect(first?.again).toBeGreaterThan(1000)
  await clock.advance(first?.again ?? 0)
  await claimAll()
  expect(tailnet.calls.slice(length)).toEqual(['list'])
})

test('one that was removed by hand is made again when it is looked at next', async () => {
  const tailnet = new Tailnet()
  const { clock, shared } = operator(tailnet, 'east')
  await shared.claim(wish, never)
  tailnet.all.clear()
  const { again } = await shared.claim(wish, never)
  await clock.advance(again)
  await shared.claim(wish, never)
  expect(ownersOf(tailnet)).toBe('east')
})

test('two operators that claim one at the same moment both become owners', async () => {
  const tailnet = new Tailnet()
  const [one, other] = [operator(tailnet, 'east'), operator(tailnet, 'west')]
  // West writes between east's look and east's own write.
  let isBetween = false
  tailnet.seen = async (call, done) => {
    if (call !== 'put svc:web' || done || isBetween) return
    isBetween = true
    await other.shared.claim(wish, never)
  }
  await one.shared.claim(wish, never)
  expect(ownersOf(tailnet)).toBe('east')
  // The one that was replaced looks again some seconds later.
  const { again } = await other.shared.claim(wish, never)
  expect(again).toBeLessThan(20_000)
  await other.clock.advance(again)
  await other.shared.claim(wish, never)
  expect(ownersOf(tailnet)).toBe('east,west')
})

test('what others write just after a claim is claimed again at once', async () => {
  const tailnet = new Tailnet()
  const { clock, shared } = operator(tailnet, 'east')
  const west = operator(tailnet, 'west')
  await west.shared.claim(wish, never)
  const ofWest = tailnet.all.get('svc:web')!
  let times = 0
  tailnet.seen = (call, done) => {
    if (call !== 'put svc:web' || !done || (times += 1) > 2) return
    tailnet.all.set('svc:web', ofWest)
  }
  const claimed = shared.claim(wish, never)
  await clock.next()
  await clock.next()
  expect(await claimed).toMatchObject({ differs: [] })
  expect(ownersOf(tailnet)).toBe('west,east')
})

test('one of somebody else is refused, and looked at again soon', async () => {
  const tailnet = new Tailnet()
  tailnet.all.set('svc:web', { ...wish, addrs: [], comment: '', annotations: {} })
  const { clock, shared } = operator(tailnet, 'east')
  const refused = await shared.claim(wish, never)
  expect(refused).toMatchObject({ refused: expect.stringContaining('svc:web exists in the tailnet') as unknown })
  expect(refused.again).toBeLessThanOrEqual(90_000)
  const { length } = tailnet.calls
  await shared.claim(wish, never)
  expect(tailnet.calls.length).toBe(length)
  tailnet.all.clear()
  await clock.advance(refused.again)
  expect(await shared.claim(wish, never)).toMatchObject({ differs: [] })
})

test('one whose name a device has is refused, and made when that is gone', async () => {
  const tailnet = new Tailnet()
  tailnet.seen = (call) => {
    if (call === 'put svc:web') throw new ApiError('409 a node is called web', { problem: 'refused', status: 409 })
  }
  const { clock, shared } = operator(tailnet, 'east')
  const refused = await shared.claim(wish, never)
  expect(refused).toMatchObject({
    refused: expect.stringContaining('while a device of the tailnet is called') as unknown,
  })
  expect(refused.again).toBeLessThanOrEqual(15_000)
  tailnet.seen = () => {}
  await clock.advance(refused.again)
  expect(await shared.claim(wish, never)).toMatchObject({ differs: [] })
})

test('the last owner removes it, the others only leave', async () => {
  const tailnet = new Tailnet()
  const [{ shared: east }, { shared: west }] = [operator(tailnet, 'east'), operator(tailnet, 'west')]
  await east.claim(wish, never)
  await west.claim(wish, never)
  await east.release('svc:web', never)
  expect(ownersOf(tailnet)).toBe('west')
  await west.release('svc:web', never)
  expect(tailnet.all.size).toBe(0)
  await west.release('svc:web', never)
})

test('whether others share one is asked anew, and taken to be so while the API is away', async () => {
  const tailnet = new Tailnet()
  const [{ shared: east }, { shared: west }] = [operator(tailnet, 'east'), operator(tailnet, 'west')]
  await east.claim(wish, never)
  expect(await east.isShared('svc:web', never)).toBe(false)
  await west.claim(wish, never)
  expect(await east.isShared('svc:web', never)).toBe(true)
  expect(await operator(tailnet, 'east').shared.isShared('svc:web', never)).toBe(true)
  expect(await east.isShared('svc:none', never)).toBe(false)
  tailnet.seen = () => Promise.reject(new ApiError('away', { problem: 'unavailable' }))
  expect(await east.isShared('svc:none', never)).toBe(true)
})

test('a failure of the API is that of the call', async () => {
  const tailnet = new Tailnet()
  tailnet.seen = () => Promise.reject(new ApiError('away', { problem: 'unavailable' }))
  const { shared } = operator(tailnet, 'east')
  await expect(shared.claim(wish, never)).rejects.toThrow('away')
  tailnet.seen = () => {}
  expect(await shared.claim(wish, never)).toMatchObject({ differs: [] })
})
