import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { divide } from '../../operator/shards/division.ts'
import { expectDashboardShows } from './monitoring/dashboard.ts'
import { namespace } from './operator-process.ts'
import { ReplicasBed } from './replicas-bed.ts'
import { ample, ledBy, Replicas, times } from './replicas.ts'
import { weathers } from './storm.ts'

let here: ReplicasBed
beforeAll(async () => {
  here = await ReplicasBed.start()
})
afterAll(() => here[Symbol.asyncDispose]())
beforeEach(() => here.printOnFailure())

/** The replicas `one`, the leader, and `other`, whose logs are printed if the test fails. */
async function start(of = times, more = {}, names = ['one', 'other']): Promise<Replicas> {
  const replicas = await Replicas.start(here.bed, names, of, more)
  onTestFailed(() => {
    for (const { name, process } of replicas.all) console.error(`${name}:\n${process.logged.join('\n')}`)
  })
  return replicas
}

test('one replica works, the other is ready and writes nothing, and takes over when the first is told to end', async () => {
  await using replicas = await start(ample)
  const [one, other] = [replicas.of('one'), replicas.of('other')]
  expect(other.process.logged).toContain('stands by')
  await here.bed.control.addApiFault({ method: 'POST', path: '/tailnet', status: 503 })
  await here.expose('handover-1')
  await here.isReady(replicas, 'handover-1')
  expect(replicas.writesOf('one')).not.toEqual([])
  expect(replicas.writesOf('other')).toEqual([])
  expect(other.proxy.writes).toEqual([])
  await expect.poll(() => replicas.ask('other', '/readyz')).toEqual(['200', 'ok'])
  expect(await replicas.ask('other', '/metrics')).toContain('leader_election_master_status{name="culvert-operator"} 0')
  let metrics: readonly string[] = []
  // The Service is ready a moment before the run has ended that says so.
  await expect
    .poll(async () => (metrics = await replicas.ask('one', '/metrics')))
    .toEqual(
      expect.arrayContaining([
        'leader_election_master_status{name="culvert-operator"} 1',
        'culvert_api_requests_total{api="tailscale",verb="post",code="200"} 1',
        'culvert_managed_objects{kind="StatefulSet"} 1',
        'culvert_reconcile_failing{controller="proxies of services"} 0',
      ]),
    )
  for (const begin of [
    'culvert_api_requests_total{api="kubernetes",verb="patch",code="200"} ',
    'culvert_reconcile_duration_seconds_bucket{controller="proxies of services",result="done",le="+Inf"} ',
    'workqueue_depth{name="proxies of services"} ',
    'culvert_source_silence_seconds{source="leases"} ',
  ])
    expect(metrics).toContainEqual(expect.stringContaining(begin))
  await expectDashboardShows(metrics.slice(1))

  one.process.signal('SIGTERM')
  expect(await one.process.end()).toBe(0)
  // It has handed over: the other has not waited for the Lease to expire.
  await expect.poll(() => other.process.logged).toContain('is the leader')
  expect(one.proxy.writes.at(-1)?.url).toContain('/leases/culvert-operator')
  await here.expose('handover-2')
  await here.isReady(replicas, 'handover-2')
  expect(await here.nodes()).toEqual(['handover-1', 'handover-2'])
  // What the first had done is not done again.
  expect(replicas.writesOf('other').filter((write) => write.includes('handover-1'))).toEqual([])
  expect(replicas.broken).toEqual([])
})

test('after a crash, nobody works until the Lease has expired, and then the other does', async () => {
  await using replicas = await start()
  const before = await replicas.holder()
  replicas.of('one').process.signal('SIGKILL')
  await replicas.of('one').process.end()
  await here.expose('crash')
  await expect.poll(() => replicas.holder()).not.toBe(before)
  await here.isReady(replicas, 'crash')
  expect(replicas.leader?.name).toBe('other')
  expect(replicas.broken).toEqual([])
})

test('a replica that was stopped for longer than the Lease writes nothing when it goes on, and ends', async () => {
  await using replicas = await start()
  const one = replicas.of('one')
  // It has something to write at any moment.
  const names = Array.from({ length: 10 }, (_, number) => `stopped-${number}`)
  const exposed = Promise.all(names.map((name) => here.expose(name)))
  await expect.poll(() => replicas.writesOf('one').length).toBeGreaterThan(20)
  one.process.signal('SIGSTOP')
  await expect.poll(() => replicas.of('other').process.logged).toContain('is the leader')
  const written = one.proxy.writes.length
  one.process.signal('SIGCONT')
  expect(await one.process.end()).toBe(1)
  expect(one.process.logged.join('\n')).toMatch(/has lost the Lease/)
  expect(one.proxy.writes.slice(written).filter(({ url }) => !url.includes('/leases/')).length).toBeLessThanOrEqual(1)
  expect(replicas.takeLate()).toEqual([])
  await exposed
  for (const name of names) await here.isReady(replicas, name)
  expect(await here.nodes()).toEqual(expect.arrayContaining(names))
  expect(replicas.broken).toEqual([])
})

test('a leader that is cut off ends by itself, and the other takes over', async () => {
  await using replicas = await start()
  const one = replicas.of('one')
  one.proxy.cut()
  expect(await one.process.end()).toBe(1)
  expect(one.process.logged.at(-1)).toMatch(
    new RegExp(`^error: this replica has lost the Lease: it could not be renewed for ${times.deadline} s`),
  )
  await here.expose('cut')
  await here.isReady(replicas, 'cut')
  expect(replicas.leader?.name).toBe('other')
  expect(replicas.broken).toEqual([])
})

test('a second signal does not wait for what runs, and leaves the Lease to expire', async () => {
  await using replicas = await start()
  const one = replicas.of('one')
  const before = await replicas.holder()
  const guard = one.proxy.fault
  let isStuck = false
  // Whatever it asks for takes for ever, besides its Lease.
  one.proxy.fault = (seen) => {
    guard(seen)
    if (/watch=true|limit=|leases/.test(seen.url)) return undefined
    isStuck = true
    return { before: () => new Promise(() => {}) }
  }
  await here.expose('hurried')
  await expect.poll(() => isStuck).toBe(true)
  one.process.signal('SIGTERM')
  await expect.poll(() => one.process.logged).toContain('received SIGTERM, shutting down')
  one.process.signal('SIGTERM')
  expect(await one.process.end()).toBe(0)
  expect(await replicas.holder()).toBe(before)
  await here.isReady(replicas, 'hurried')
  expect(replicas.leader?.name).toBe('other')
  expect(replicas.broken).toEqual([])
})

test('a Lease that somebody deletes is made anew by the leader, and nobody else begins', async () => {
  await using replicas = await start(ample)
  const before = await replicas.holder()
  await here.bed.cluster.kubectl(['delete', 'lease', 'culvert-operator', `--namespace=${namespace}`])
  await expect.poll(() => replicas.holder()).toBe(before)
  await here.expose('deleted')
  await here.isReady(replicas, 'deleted')
  expect(replicas.leader?.name).toBe('one')
  expect(replicas.of('other').process.logged).not.toContain('is the leader')
  expect(replicas.broken).toEqual([])
})

test('two replicas divide Services of two shards, each of which gets its proxy from the leader of its shard, and one goes on for both', async () => {
  await here.permit(2)
  await here.freeLease(2)
  // One that leads already leaves what is free to others for three retry periods, and here for as long as it takes.
  await using replicas = await start({ ...ample, retry: 6 }, { CULVERT_SHARDS: '2' }, ['one'])
  const one = replicas.of('one')
  await expect.poll(() => ledBy(one.process)).toHaveLength(1)
  const [first] = ledBy(one.process) as [0 | 1]
  const second = first === 0 ? '/leases/culvert-operator-1?' : '/leases/culvert-operator?'
  const guard = one.proxy.fault
  one.proxy.fault = (seen) => (seen.method === 'PATCH' && seen.url.includes(second) ? { status: 503 } : guard(seen))
  await replicas.add('other')
  const ledByEach = (): readonly (readonly number[])[] => replicas.all.map(({ process }) => ledBy(process))
  await expect.poll(ledByEach).toEqual([[first], [1 - first]])
  const names = Array.from({ length: 12 }, (_, number) => `divided-${number}`)
  await Promise.all(names.map((name) => here.expose(name)))
  for (const name of names) await here.isReady(replicas, name)
  const { shardOf } = divide(2)
  const writers = (name: string): readonly string[] =>
    replicas.all.flatMap((replica) =>
      replicas.writesOf(replica.name).some((write) => write.includes(`/ts-${name}-`)) ? [replica.name] : [],
    )
  expect(names.map(writers)).toEqual(names.map((name) => [shardOf(`apps/${name}`) === first ? 'one' : 'other']))

  one.process.signal('SIGTERM')
  expect(await one.process.end()).toBe(0)
  const before = replicas.writesOf('other').length
  await expect.poll(() => new Set(ledBy(replicas.of('other').process))).toEqual(new Set([0, 1]))
  const more = Array.from({ length: 4 }, (_, number) => `divided-more-${number}`)
  await Promise.all(more.map((name) => here.expose(name)))
  for (const name of more) await here.isReady(replicas, name)
  // What the first had done is not done again.
  const ofFirst = names.filter((name) => shardOf(`apps/${name}`) === first)
  const written = replicas.writesOf('other').slice(before)
  expect(written.filter((write) => ofFirst.some((name) => write.includes(`/ts-${name}-`)))).toEqual([])
  expect((await here.nodes()).filter((name) => name.startsWith('divided-'))).toEqual([...names, ...more].toSorted())
  expect(replicas.broken).toEqual([])
})

test('ten random kills, stops and cuts: each Service gets its proxy once, and only one replica writes', async () => {
  await using replicas = await start()
  await here.survives(replicas, 10)
})

test('conflicts on every write, refusals, cut watches, a killed API server and a failing Tailscale API leave each Service its one proxy', async () => {
  await using replicas = await start(ample)
  await weathers(here, replicas, 1)
})
