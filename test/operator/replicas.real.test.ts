import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { expectDashboardShows } from './monitoring/dashboard.ts'
import { namespace } from './operator-process.ts'
import { ReplicasBed } from './replicas-bed.ts'
import { Replicas, times } from './replicas.ts'

let here: ReplicasBed
let replicas: Replicas
beforeAll(async () => {
  here = await ReplicasBed.start()
  replicas = await Replicas.start(here.bed, 'one', 'other')
})
afterAll(async () => {
  await replicas[Symbol.asyncDispose]()
  await here[Symbol.asyncDispose]()
})
beforeEach(() => {
  here.printOnFailure()
  onTestFailed(() => {
    for (const { name, process } of replicas.all) console.error(`${name}:\n${process.logged.join('\n')}`)
  })
})

test('one replica works, the other is ready and writes nothing, and takes over when the first is told to end', async () => {
  const [one, other] = await replicas.pair()
  const { process } = one
  expect(other.process.logged).toContain('stands by')
  await here.bed.control.addApiFault({ method: 'POST', path: '/tailnet', status: 503 })
  await here.expose('handover-1')
  await here.isReady('handover-1')
  expect(replicas.writesOf('one')).not.toEqual([])
  expect(replicas.writesOf('other')).toEqual([])
  expect(other.proxy.writes).toEqual([])
  expect(await replicas.ask('other', '/readyz')).toEqual(['200', 'ok'])
  expect(await replicas.ask('other', '/metrics')).toContain('leader_election_master_status{name="culvert-operator"} 0')
  const metrics = await replicas.ask('one', '/metrics')
  for (const line of [
    'leader_election_master_status{name="culvert-operator"} 1',
    'culvert_api_requests_total{api="tailscale",verb="post",code="200"} 1',
    'culvert_managed_objects{kind="StatefulSet"} 1',
    'culvert_reconcile_failing{controller="proxies of services"} 0',
  ])
    expect(metrics).toContain(line)
  for (const begin of [
    'culvert_api_requests_total{api="kubernetes",verb="patch",code="200"} ',
    'culvert_reconcile_duration_seconds_bucket{controller="proxies of services",result="done",le="+Inf"} ',
    'workqueue_depth{name="proxies of services"} ',
    'culvert_source_silence_seconds{source="leases"} ',
  ])
    expect(metrics).toContainEqual(expect.stringContaining(begin))
  await expectDashboardShows(metrics.slice(1))

  process.signal('SIGTERM')
  expect(await process.end()).toBe(0)
  // It has handed over: the other has not waited for the Lease to expire.
  await expect.poll(() => other.process.logged).toContain('is the leader')
  expect(one.proxy.writes.at(-1)?.url).toContain('/leases/culvert-operator')
  await here.expose('handover-2')
  await here.isReady('handover-2')
  expect(await here.nodes()).toEqual(['handover-1', 'handover-2'])
  // What the first had done is not done again.
  expect(replicas.writesOf('other').filter((write) => write.includes('handover-1'))).toEqual([])
  expect(replicas.broken).toEqual([])
})

test('after a crash, nobody works until the Lease has expired, and then the other does', async () => {
  const [{ process }] = await replicas.pair()
  const before = await replicas.holder()
  process.signal('SIGKILL')
  await process.end()
  await here.expose('crash')
  await expect.poll(() => replicas.holder()).not.toBe(before)
  await here.isReady('crash')
  expect(replicas.broken).toEqual([])
})

test('a replica that was stopped for longer than the Lease writes nothing when it goes on, and ends', async () => {
  const [one, other] = await replicas.pair()
  const { process } = one
  const before = replicas.writesOf(one.name).length
  // It has something to write at any moment.
  const names = Array.from({ length: 20 }, (_, number) => `stopped-${number}`)
  const exposed = Promise.all(names.map((name) => here.expose(name)))
  await expect.poll(() => replicas.writesOf(one.name).length).toBeGreaterThan(before + 20)
  process.signal('SIGSTOP')
  await expect.poll(() => other.process.logged).toContain('is the leader')
  const written = one.proxy.writes.length
  process.signal('SIGCONT')
  expect(await process.end()).toBe(1)
  expect(process.logged.join('\n')).toMatch(/has lost the Lease/)
  expect(one.proxy.writes.slice(written).filter(({ url }) => !url.includes('/leases/'))).toEqual([])
  await exposed
  for (const name of names) await here.isReady(name)
  expect(await here.nodes()).toEqual(expect.arrayContaining(names))
  expect(replicas.broken).toEqual([])
})

test('a leader that is cut off ends by itself, and the other takes over', async () => {
  const [{ process, proxy }] = await replicas.pair()
  proxy.cut()
  expect(await process.end()).toBe(1)
  proxy.heal()
  expect(process.logged.at(-1)).toContain(
    `error: this replica has lost the Lease: it could not be renewed for ${times.deadline} s`,
  )
  await here.expose('cut')
  await here.isReady('cut')
  expect(replicas.broken).toEqual([])
})

test('a second signal does not wait for what runs, and leaves the Lease to expire', async () => {
  const [{ process, proxy }] = await replicas.pair()
  const before = await replicas.holder()
  const guard = proxy.fault
  let isStuck = false
  // Whatever it asks for takes for ever, besides its Lease.
  proxy.fault = (seen) => {
    guard(seen)
    if (/watch=true|limit=|leases/.test(seen.url)) return undefined
    isStuck = true
    return { before: () => new Promise(() => {}) }
  }
  await here.expose('hurried')
  await expect.poll(() => isStuck).toBe(true)
  process.signal('SIGTERM')
  await expect.poll(() => process.logged).toContain('received SIGTERM, shutting down')
  process.signal('SIGTERM')
  expect(await process.end()).toBe(0)
  proxy.fault = guard
  expect(await replicas.holder()).toBe(before)
  await here.isReady('hurried')
  expect(replicas.broken).toEqual([])
})

test('a Lease that somebody deletes is made anew by the leader, and nobody else begins', async () => {
  const [one, other] = await replicas.pair()
  const { process } = other
  const before = await replicas.holder()
  await here.bed.cluster.kubectl(['delete', 'lease', 'culvert-operator', `--namespace=${namespace}`])
  await expect.poll(() => replicas.holder()).toBe(before)
  await here.expose('deleted')
  await here.isReady('deleted')
  expect(replicas.leader).toBe(one)
  expect(process.logged).not.toContain('is the leader')
  expect(replicas.broken).toEqual([])
})

test('ten random kills, stops and cuts: each Service gets its proxy once, and only one replica writes', async () => {
  await replicas.pair()
  await here.survives(replicas, 10)
})
