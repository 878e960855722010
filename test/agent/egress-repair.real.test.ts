import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { ask, startEcho } from '../lab/traffic/traffic.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { Group, groupBed, groupFiles, vip } from './group.ts'
import { Proxy } from './proxy.ts'

// Other programs change the rules. One agent has all modes at once, so that one table has all kinds of entries. Without
// noticing a change, it would look at the rules only every ten minutes.
let bed: Bed<'db' | 'proxy' | 'app'>
let group: Group
let proxy: Proxy
let rules: string
beforeAll(async () => {
  bed = await startBed(groupBed)
  await startEcho(bed.host('db'))
  // A wrapper of the same name in front of the real nft: it records how it was called.
  const host = bed.host('proxy')
  const wrapper = '#!/bin/sh\necho "$*" >> /tmp/nft.log\nPATH=${PATH#*:} exec nft "$@"\n'
  await host.exec(['sh', '-c', 'mkdir /tmp/wrapped; cat > /tmp/wrapped/nft; chmod +x /tmp/wrapped/nft'], {
    input: wrapper,
  })
  group = await Group.make(bed, 'all')
  await group.write(groupFiles(1))
})
afterAll(async () => {
  await proxy[Symbol.asyncDispose]()
  await bed.down()
})
beforeEach(async () => {
  printLogsOnFailure(bed)
  proxy ??= await Proxy.ready(bed, {
    ...group.env('egress'),
    ...group.env('ingress'),
    TS_TAILNET_TARGET_FQDN: 'db.lab.ts.net',
    TS_AUTHKEY: await bed.authKey(),
    PATH: `/tmp/wrapped:${bed.host('proxy').env()['PATH']}`,
  })
  await proxy.until(({ ready }) => ready)
  await expect.poll(list).toContain('tcp . 10000 : ')
  rules = await list()
})

const list = async (): Promise<string> => {
  const { stdout } = await proxy.host.exec(['nft', '-s', 'list', 'table', 'inet', 'culvert'], { check: false })
  // The order of sets in a listing changes with the transaction that made them, that of elements with time.
  return stdout
    .split(/[\n,{}]+/)
    .map((part) => part.trim())
    .toSorted()
    .join('\n')
}
const repairs = async (): Promise<number> => (await proxy.status()).reconcilers['forwarding']?.repairs ?? 0
const carries = async (): Promise<void> => {
  for (const [to, port] of [
    [proxy.host.address.v4, 10_000],
    [proxy.host.address.v6, 7000],
  ] as const)
    expect(await ask(bed.host('app'), { to: String(to), port, protocol: 'tcp' })).toMatchObject({
      host: 'db',
    })
}
let known = 0
/** The agent's calls of nft since the last call of this function. The log is not emptied: what comes meanwhile would go. */
const called = (): string[] => {
  const lines = readFileSync(proxy.host.path('/tmp/nft.log'), 'utf8').trim().split('\n').filter(Boolean)
  const fresh = lines.slice(known)
  known = lines.length
  return fresh
}

/** Has a service added. A late monitor would have it listed after it is in the kernel; and earlier repairs count then. */
const addSecond = async (): Promise<void> => {
  const since = new Date().toISOString()
  await group.write(groupFiles(2))
  await proxy.until(
    ({ services, reconcilers }) => services.length === 3 && (reconcilers['forwarding']?.verifiedAt ?? '') > since,
  )
}

it.each([
  ['a port removed', 'delete element inet culvert ports4 { tcp . 10000 }'],
  [
    'a port with another target',
    'delete element inet culvert ports6 { tcp . 10000 }; add element inet culvert ports6 { tcp . 10000 : fd98::11 . 1 }',
  ],
  ['a port added', 'add element inet culvert ports4 { tcp . 22 : 10.98.0.11 . 22 }'],
  ['a target removed from the guard', 'flush set inet culvert targets6'],
  ['a target added to the guard', 'add element inet culvert targets6 { fd7a::9 }'],
  ['the exempt ports flushed', 'flush set inet culvert exempt'],
  [
    'a Tailscale Service with another backend',
    `delete element inet culvert ingress4 { ${vip} }; add element inet culvert ingress4 { ${vip} : 10.98.0.12 }`,
  ],
  ['the chain translate flushed', 'flush chain inet culvert translate'],
  ['the chain forward flushed', 'flush chain inet culvert forward'],
  ['the chain source flushed', 'flush chain inet culvert source'],
  ['a rule inserted before all others', 'insert rule inet culvert translate return'],
  ['the table deleted', 'delete table inet culvert'],
  ['all rules flushed', 'flush ruleset'],
])('%s by another program: repaired, and counted', async (_name, change) => {
  const before = await repairs()
  await proxy.host.exec(['nft', change])
  await expect.poll(list, { interval: 20 }).toBe(rules)
  await expect.poll(repairs).toBe(before + 1)
  await carries()
})

it('after a burst of foreign changes all rules are as before', async () => {
  const storm = [
    'flush chain inet culvert guard',
    'flush map inet culvert ports4',
    'add table inet culvert; delete table inet culvert',
  ]
  for (let round = 0; round < 60; round += 1) await proxy.host.exec(['nft', storm[round % 3]!], { check: false })
  await expect.poll(list, { interval: 20 }).toBe(rules)
  await carries()
})

it('a change while no monitor runs is found when the next one starts', async () => {
  // The storm may have ended the monitor, too.
  const kill = () => proxy.host.exec(['pkill', '-KILL', '-f', 'nft monitor'], { check: false })
  await expect.poll(async () => (await kill()).exitCode).toBe(0)
  await proxy.host.exec(['nft', 'flush', 'map', 'inet', 'culvert', 'ports4'])
  await expect.poll(list, { interval: 20 }).toBe(rules)
})

it('own changes are confirmed by the monitor: one transaction each, and few listings of the table', async () => {
  await addSecond()
  const had = await repairs()
  called()
  for (let count = 3; count <= 21; count += 1) {
    await group.write(groupFiles(count))
    await expect.poll(list, { interval: 50 }).toContain(`tcp . ${10_000 + count - 1} : `)
  }
  await group.write(groupFiles(1))
  await expect.poll(list).toBe(rules)
  const calls = called()
  // Each is counted when its program starts, which is one change ahead: the program that will make the next change may
  // not have started yet. A monitor that has just restarted makes transactions to see that it has begun.
  const transactions = calls.filter((call) => call === '-f -').length
  expect(transactions).toBeGreaterThanOrEqual(19)
  expect(transactions).toBeLessThan(30)
  // While the monitor starts, or is late, the table is listed instead.
  expect(calls.filter((call) => call !== '-f -').length).toBeLessThan(10)
  expect(await repairs()).toBe(had)
})

it('nothing is written or listed while our table is unchanged', async () => {
  await addSecond()
  called()
  for (let round = 0; round < 5; round += 1) {
    await proxy.host.exec(['nft', 'add table inet other; add chain inet other culvert; delete table inet other'])
  }
  // The next change is the first call.
  await group.write(groupFiles(3))
  await expect.poll(list).toContain('tcp . 10002 : ')
  // The program for the change after this one, which is started ahead.
  let calls: readonly string[] = []
  await expect.poll(() => (calls = [...calls, ...called()]).length).toBeGreaterThan(0)
  expect(calls[0]).toBe('-f -')
  await group.write(groupFiles(1))
  await expect.poll(list).toBe(rules)
})
