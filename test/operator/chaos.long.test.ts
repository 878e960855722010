import { isDeepStrictEqual } from 'node:util'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { poll } from '../lab/poll.ts'
import { identitiesIn } from './exposed-services.ts'
import { killAtOnce, killAtWrite } from './kills.ts'
import { OperatorProcess } from './operator-process.ts'
import { ReplicasBed } from './replicas-bed.ts'
import { ample, Replicas } from './replicas.ts'
import { weathers } from './storm.ts'

// What else can happen is elsewhere: processes that stop and networks that are cut in replicas.long.test.ts, watches
// without events and expired versions in test/kube/controller, each failure of Tailscale's API alone in
// api/failures.real.test.ts, traffic through an API server that is killed and an etcd that is restored in
// e2e/chaos.long.test.ts.

let here: ReplicasBed
const folder = mkdtempSync(join(tmpdir(), 'culvert-chaos-'))
beforeAll(async () => {
  here = await ReplicasBed.start()
})
afterAll(async () => {
  await here[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})
beforeEach(() => here.printOnFailure())

/** One replica, whose log is printed if the test fails. */
async function start(more: Readonly<Record<string, string>> = {}): Promise<Replicas> {
  const replicas = await Replicas.start(here.bed, ['one'], ample, more)
  onTestFailed(() => console.error(replicas.all[0]!.process.logged.join('\n')))
  return replicas
}
const names = (name: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${name}-${index}`)
const expose = (name: string, count: number) => Promise.all(names(name, count).map((one) => here.expose(one)))

test('ten rounds in which everything around the operator fails leave each Service its one proxy', async () => {
  await using replicas = await start()
  await weathers(here, replicas, 10)
})

test('the operator is killed at 200 random moments, and nothing is there twice, left out or left over', async () => {
  await using replicas = await start()
  let made: string[] = []
  for (let number = 0; number < 200; number += 1) {
    const [replica] = replicas.all
    const killed = number % 2 === 0 ? killAtWrite(replica!) : killAtOnce(replica!)
    const gone = made.splice(0, 2)
    made = [...made, ...names(`kill-${number}`, 3)]
    await expose(`kill-${number}`, 3)
    for (const name of gone) await here.remove(name)
    await killed
    // Nobody else can have begun, so that nothing has to be waited for.
    await here.freeLease()
    await replicas.restart('one')
  }
  await here.settles(replicas)
  // A key that was made the moment before is noted nowhere. Nobody has it, and it expires within a day.
  const keys = await here.bed.control.keys()
  console.info(`${keys.length} of 600 auth keys were lost`)
  expect(keys.length).toBeLessThan(100)
  expect(keys.filter(({ uses, expires }) => uses > 0 || expires === undefined)).toEqual([])
  for (const { key } of keys) await here.bed.control.deleteKey(key)
})

test('a time of day that jumps by days, back and forth, changes nothing', async () => {
  const clock = join(folder, 'clock')
  const preload = join(import.meta.dirname, 'programs/shift-clock.ts')
  await using replicas = await start({ NODE_OPTIONS: `--import=${preload}`, TEST_CLOCK: clock })
  const { process } = replicas.all[0]!
  let jumps = 0
  const jump = async (hours: number): Promise<void> => {
    jumps += 1
    writeFileSync(clock, String(hours * 3_600_000))
    process.signal('SIGUSR2')
    await poll('that the clock jumps', () => process.logged.filter((line) => line.startsWith('clock: '))[jumps - 1])
  }
  for (const [index, hours] of [48, -48, 0, 24 * 365, -1, 0].entries()) {
    const made = expose(`clock-${index}`, 5)
    await jump(hours)
    await made
    await here.settles(replicas)
  }
  const { control } = here.bed
  expect(await control.keys()).toEqual([])

  // A deletion that waits for Tailscale's API is not given up because of that.
  await control.addApiFault({ path: '/device', status: 403, body: '{"message":"no"}', times: 0 })
  await here.remove('clock-0-0')
  const refused = async (since: number) => (await control.apiCalls(since)).filter((call) => call.includes('/device/'))
  await expect.poll(() => refused(0)).not.toEqual([])
  await jump(48)
  const { last } = await control.events()
  await expect.poll(async () => (await refused(last)).length).toBeGreaterThan(1)
  expect(await here.nodes()).toContain('clock-0-0')
  await control.removeApiFaults()
  await here.settles(replicas)
  expect(process.hasEnded).toBe(false)
})

test('while etcd has no space left nothing can be written, and once it has, all goes on', async () => {
  await using replicas = await start()
  const { proxy } = replicas.all[0]!
  const failed: string[] = []
  const { answered } = proxy
  proxy.answered = (seen, status) => {
    answered(seen, status)
    if (status === 500) failed.push(seen.url)
  }
  await expose('space', 20)
  await here.fillEtcd(true)
  await expect.poll(() => failed.some((url) => url.includes('/leases/'))).toBe(true)
  await expect(here.expose('none')).rejects.toThrow('database space exceeded')
  here.forget('none')
  await here.fillEtcd(false)
  await expose('more-space', 5)
  await here.settles(replicas)
})

test('an operator that runs out of memory again and again does what it can, and all once it has enough', async () => {
  await expose('memory', 100)
  let deaths = 0
  for (let limit = 24; ; limit += 8) {
    const process = await OperatorProcess.run(here.bed, [], { NODE_OPTIONS: `--max-old-space-size=${limit}` })
    const isDone = await Promise.race([process.end().then(() => false), here.settled()])
    await process.stop()
    await here.freeLease()
    if (isDone) break
    deaths += 1
  }
  expect(deaths).toBeGreaterThan(0)
  await using replicas = await start()
  await here.settles(replicas)
})

test('etcd is restored from an older snapshot: what was in it goes on, what came later is made again, and nobody else’s is touched', async () => {
  await using replicas = await start()
  const { bed } = here
  const { cluster, control } = bed
  await control.createNode('foreign')
  await expose('kept', 3)
  await here.settles(replicas, ['foreign'])
  let restore = async (): Promise<void> => {}
  await here.replay(async () => (restore = await cluster.snapshot()))
  const before = await identitiesIn(bed)

  await expose('lost', 3)
  await here.remove('kept-0')
  await here.settles(replicas, ['foreign'])
  const lost = (await control.nodes()).flatMap(({ name, stableId }) => (name.startsWith('lost-') ? [stableId] : []))
  const { process } = replicas.all[0]!
  await here.replay(restore)
  here.remember('kept-0')
  for (const name of names('lost', 3)) here.forget(name)
  // Its watches tell nothing of that.
  expect(await process.end()).toBe(1)
  expect(process.logged.at(-1)).toMatch(/^error: this replica has lost the Lease: the cluster is in an earlier state/)
  await here.freeLease()
  await replicas.restart('one')
  await here.refuse('kept-0')
  await here.settles(replicas, ['foreign', ...names('lost', 3)])
  const after = await identitiesIn(bed)
  const isSame = ([key, identity]: [string, unknown]): boolean => isDeepStrictEqual(after.get(key), identity)
  const others = [...before].filter((one) => !isSame(one)).map(([key]) => key)
  // It has another device, since its own was removed in the future that is gone.
  expect(others).toEqual(['Secret kept-0'])

  // Devices of the future are found by their tags. The foreign one has none, and is not connected either.
  for (const id of lost) await control.patchNode(id, { tags: ['tag:k8s'] })
  const devices = async (...args: readonly string[]) => {
    await using command = await OperatorProcess.run(bed, ['devices', ...args])
    expect(await command.end()).toBe(0)
    return command.printed
  }
  const found = await devices()
  expect(found.map((line) => /^warning lost: (\S+) /.exec(line)?.[1] ?? line).toSorted()).toEqual(lost.toSorted())
  expect(await devices(`--remove=${lost.join()}`)).toHaveLength(3)
  await expose('lost', 3)
  await here.settles(replicas, ['foreign'])
})
