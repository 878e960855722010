import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SkippingClock } from '../../lib/skipping-clock.ts'
import { testApiGroups } from './api-groups.ts'
import { balancer, endpoints, GroupBed, ingress, proxyGroup } from './group-bed.ts'

let east: GroupBed
let west: GroupBed
beforeAll(async () => {
  east = await GroupBed.start()
  west = await GroupBed.start(east.at.bed)
  for (const one of [east, west])
    await one.cluster.apply(proxyGroup('one', 1), endpoints('db', true), balancer('db'), ingress('wiki', 'wiki'))
})
afterAll(async () => {
  await west[Symbol.asyncDispose]()
  await east[Symbol.asyncDispose]()
})
beforeEach(() => [east, west].forEach((one) => one.printLogsOnFailure()))

const names = ['svc:db', 'svc:wiki']
const served = (one: GroupBed) => expect.poll(() => one.advertised('one')).toEqual(['svc:db,svc:wiki'])
const owners = () => Promise.all(names.map((name) => east.owners(name)))

test('the operators of two clusters that ask for the same names at once share them, and the last one removes them', async () => {
  await using first = await east.at.operate()
  await using second = await west.at.operate()
  await served(east)
  await served(west)
  await expect.poll(owners).toEqual([2, 2])
  const before = await Promise.all(names.map((name) => east.service(name)))
  // Of two with other tags, the first owner has the say, and the other is told.
  await east.annotate('service', 'db', { 'tailscale.com/tags': 'tag:east' })
  await west.annotate('service', 'db', { 'tailscale.com/tags': 'tag:west' })
  const tags = async () => (await east.service('svc:db'))?.tags.join()
  await expect.poll(tags).not.toBe('tag:k8s')
  const [owner, other] = (await tags()) === 'tag:east' ? [east, west] : [west, east]
  await expect.poll(() => other.told('Service', 'ServiceDiffers')).not.toEqual([])
  expect(await owner.told('Service', 'ServiceDiffers')).toEqual([])
  for (const kind of ['service/db', 'ingress/wiki']) await west.remove(kind)
  await expect.poll(() => west.made()).toEqual([])
  expect(await owners()).toEqual([1, 1])
  expect((await Promise.all(names.map((name) => east.service(name)))).map((one) => one?.addresses)).toEqual(
    before.map((one) => one?.addresses),
  )
  await served(east)
  for (const kind of ['service/db', 'ingress/wiki']) await east.remove(kind)
  await expect.poll(owners).toEqual([0, 0])
  await expect.poll(() => east.made()).toEqual([])
  await east.absent('service/db', 'ingress/wiki')
  expect([...first.logged, ...second.logged].filter((line) => line.includes('bug'))).toEqual([])
})

test('an operator that has lost its ID still knows what is its own; what is left is swept, and what is lost made again', async () => {
  await east.cluster.apply(balancer('db'), ingress('wiki', 'wiki'))
  {
    await using _ = await east.at.operate()
    await served(east)
    await expect.poll(() => east.mayList('one')).toBe('yes')
  }
  await east.cluster.kubectl(['delete', 'secret', 'culvert-operator-id', '--namespace=tailscale'])
  // Gone while nobody looks.
  const patch = JSON.stringify({ metadata: { finalizers: null } })
  await east.cluster.kubectl(['patch', 'ingress', 'wiki', '--type=merge', `--patch=${patch}`])
  await east.remove('ingress/wiki')
  const clock = new SkippingClock()
  await using operator = await east.at.operate(clock)
  await expect.poll(() => east.service('svc:wiki')).toBeUndefined()
  await expect.poll(() => east.advertised('one')).toEqual(['svc:db'])
  // It has no certificate any more, of which tailscaled would look for a renewed one.
  await expect.poll(() => east.mayList('one')).toBe('no')
  expect(await east.owners('svc:db')).toBe(1)
  // What somebody removes by hand is there again within minutes.
  await east.control.removeService('svc:db')
  const later = async () => {
    // Not while a request is on its way, whose time would be over.
    if (operator.controllers.every((one) => one.counts().running === 0)) clock.skip(60_000)
    return east.owners('svc:db')
  }
  await expect.poll(later).toBe(1)
  await east.remove('service/db')
  await east.gone('service', 'db', 'svc:db')
})

test('what asks for a group of another type says so, and nothing is made for it', async () => {
  const wrong = { 'tailscale.com/proxy-group': 'out' }
  const group = { ...proxyGroup('out'), spec: { type: 'egress', replicas: 0 } }
  await east.cluster.apply(group, balancer('db', wrong), ingress('wiki', 'wiki', wrong))
  await using _ = await east.at.operate()
  const why = 'ProxyGroup "out" has the type egress'
  await expect.poll(() => east.condition('service', 'db', 'TailscaleIngressSvcValid')).toContain(`False: ${why}`)
  await expect
    .poll(() => east.told('Ingress', 'ProxyGroupInvalid'))
    .toContainEqual(expect.stringContaining(why) as unknown)
  expect(await east.made()).toEqual([])
  await east.remove('service/db', 'ingress/wiki')
  await east.absent('service/db', 'ingress/wiki')
})

describe('in one of them', () => {
  let operator: AsyncDisposable
  beforeAll(async () => {
    operator = await east.at.operate()
  })
  afterAll(() => operator[Symbol.asyncDispose]())
  testApiGroups(() => east)
})
