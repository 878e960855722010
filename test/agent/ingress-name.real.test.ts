import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import type { DnsRecord } from '../lab/control-types.ts'
import { CulvertError } from '../../lib/errors.ts'
import { ask, askAll, startEcho, startTraffic } from '../lab/traffic/traffic.ts'
import { listRules } from './firewall.ts'
import { Proxy } from './proxy.ts'
import { noEntries } from '../lab/vitest.ts'

const backends = ['one', 'two', 'three'] as const
type Backend = (typeof backends)[number]

// L3 ingress to a name, with real packets and a DNS server whose answers change.
let bed: Bed<'client' | 'proxy' | Backend>
beforeAll(async () => {
  const cluster = { network: 'cluster' } as const
  const client = { network: 'wan', tailscaled: true } as const
  bed = await startBed({ hosts: { client, proxy: cluster, one: cluster, two: cluster, three: cluster } })
  for (const backend of backends) await startEcho(bed.host(backend))
})
afterAll(async () => bed.down())

const nameServer = 'nameserver 10.99.0.1\n'
const inPod = `search default.svc.cluster.test svc.cluster.test cluster.test\n${nameServer}options ndots:5\n`
const name = 'web.default.svc.cluster.test'
const resolvConf = () => bed.host('proxy').path('/etc/resolv.conf')

beforeEach(async () => {
  writeFileSync(resolvConf(), inPod)
  await resolvesTo('one')
})

/** The A and AAAA records of a headless Service with these Pods. */
const recordsOf = (...pods: Backend[]): DnsRecord[] =>
  pods.flatMap((pod) => {
    const { v4, v6 } = bed.host(pod).address
    return [
      { name, type: 'A', value: String(v4), ttl: 1 },
      { name, type: 'AAAA', value: String(v6), ttl: 1 },
    ]
  })
const resolvesTo = (...pods: Backend[]) => bed.control.putUnderlay({ mode: 'normal', records: recordsOf(...pods) })

const start = async (env: Record<string, string> = {}) =>
  Proxy.ready(bed, {
    TS_EXPERIMENTAL_DEST_DNS_NAME: 'web',
    TS_AUTHKEY: await bed.authKey(),
    CULVERT_TEST_SHORT_WAITS: 'true',
    ...env,
  })

/** Counts the answers to new connections by backend. */
async function answering(to: string): Promise<Record<string, number>> {
  const answers = await askAll(
    bed.host('client'),
    Array.from({ length: 60 }, () => ({ to, protocol: 'tcp' as const })),
  )
  const counts: Record<string, number> = {}
  for (const answer of answers) {
    const who = answer instanceof CulvertError ? answer.message : answer.host
    counts[who] = (counts[who] ?? 0) + 1
  }
  return counts
}

const leadsTo = (proxy: Proxy, ...pods: Backend[]) =>
  proxy.until(({ targets }) => {
    const forwarded = targets.filter((target) => target.forwarded).map(({ address }) => address)
    const wanted = pods.flatMap((pod) => Object.values(bed.host(pod).address).map(String))
    return forwarded.toSorted().join() === wanted.toSorted().join()
  })

it('forwards to all addresses of a short name with aliases, and follows changes', async () => {
  await bed.control.putUnderlay({
    records: [
      { name, type: 'CNAME', value: 'pods.test', ttl: 1 },
      ...recordsOf('one', 'two').map((record) => ({ ...record, name: 'pods.test' })),
    ],
  })
  await using proxy = await start()
  const { dns } = await leadsTo(proxy, 'one', 'two')
  expect(dns).toMatchObject({ name: 'web', resolvedAs: `${name}.`, problems: [], failures: 0 })
  const own = await proxy.own()
  for (const to of [own.v4, own.v6]) {
    const counts = await answering(to)
    expect(Object.keys(counts).toSorted()).toEqual(['one', 'two'])
    // 30 each, within six times the standard deviation of a fair choice, which is 3.9.
    expect(Math.abs(counts['one']! - 30)).toBeLessThan(24)
  }

  const flows = await Promise.all(
    Array.from({ length: 8 }, () => startTraffic(bed.host('client'), { to: own.v4, protocol: 'tcp', every: 50 })),
  )
  const answered = () => flows.map(({ report }) => report?.answered ?? 0)
  await expect.poll(() => Math.min(...answered())).toBeGreaterThan(3)
  const { stdout } = await proxy.host.exec([
    'conntrack',
    '-L',
    '--orig-dst',
    own.v4,
    '-p',
    'tcp',
    '--state',
    'ESTABLISHED',
  ])
  const atOne = stdout.split('\n').filter((line) => line.includes(`src=${bed.host('one').address.v4} `)).length

  await resolvesTo('two', 'three')
  await leadsTo(proxy, 'two', 'three')
  expect(Object.keys(await answering(own.v4)).toSorted()).toEqual(['three', 'two'])
  // Connections to that address are then reset, and no others.
  await expect.poll(() => flows.filter(({ report }) => report?.broken?.code === 'ECONNRESET').length).toBe(atOne)
  const last = answered()
  await expect.poll(() => answered().filter((count, index) => count > last[index]! + 3).length).toBe(8 - atOne)
  for (const flow of flows) await flow.abandon()
})

it('keeps the last good addresses while the name cannot be resolved, without changing the rules', async () => {
  await using proxy = await start()
  await leadsTo(proxy, 'one')
  const rules = () => listRules(proxy.host)
  const before = await rules()
  const own = await proxy.own()
  const flow = await startTraffic(bed.host('client'), { to: own.v6, protocol: 'tcp', every: 50 })
  for (const [underlay, problem] of [
    [{ mode: 'servfail' }, /SERVFAIL.*the last good addresses stay in use/],
    [{ mode: 'normal', records: [] }, /web\.default\.svc\.cluster\.test\. does not exist \(NXDOMAIN\)/],
    [{ mode: 'normal', records: [{ name, type: 'TXT', value: 'x' }] }, /has no address/],
    [{ mode: 'normal', records: [{ name, type: 'A', value: '127.0.0.1' }] }, /127\.0\.0\.1, a loopback address/],
    [{ mode: 'silent' }, /10\.99\.0\.1: no answer/],
  ] as const) {
    await bed.control.putUnderlay(underlay)
    const { checks } = await proxy.until((status) => problem.test(status.checks['dns']?.reason ?? '') && status.ready)
    expect(checks['dns']).toMatchObject({ state: 'failing', since: expect.any(String) })
    expect(await ask(bed.host('client'), { to: own.v4, protocol: 'tcp' })).toMatchObject({ host: 'one' })
  }
  await resolvesTo('one')
  await proxy.until((status) => status.checks['dns']?.state === 'ok')
  expect(await rules()).toBe(before)
  expect(await flow.stop()).toMatchObject({ lost: 0, errors: noEntries })
  expect((await proxy.status()).dns?.failures).toBeGreaterThan(4)
})

it('finds a name in /etc/hosts, as hostAliases write it, without DNS', async () => {
  await bed.control.putUnderlay({ mode: 'silent' })
  const { v4, v6 } = bed.host('three').address
  const hosts = readFileSync(bed.host('proxy').path('/etc/hosts'), 'utf8')
  writeFileSync(bed.host('proxy').path('/etc/hosts'), `${hosts}${v4}\tweb alias\n${v6}\tweb\n`)
  try {
    await using proxy = await start()
    const { dns } = await leadsTo(proxy, 'three')
    expect(dns).toMatchObject({ resolvedAs: 'web in /etc/hosts', failures: 0, problems: [] })
    const own = await proxy.own()
    for (const to of [own.v4, own.v6])
      expect(await ask(bed.host('client'), { to, protocol: 'tcp' })).toMatchObject({ host: 'three' })
  } finally {
    writeFileSync(bed.host('proxy').path('/etc/hosts'), hosts)
  }
})

it('waits for a name that has never been resolved', async () => {
  await bed.control.putUnderlay({ mode: 'normal', records: [] })
  await using proxy = await start()
  const reason = /^forwarding: web\.default.* does not exist \(NXDOMAIN\).*: nothing is forwarded yet$/
  const { ready } = await proxy.until(({ notReady }) => reason.test(notReady.join()))
  expect(ready).toBe(false)
  await resolvesTo('two')
  await proxy.until((status) => status.ready)
  expect(await ask(bed.host('client'), { to: (await proxy.own()).v6, protocol: 'udp' })).toMatchObject({ host: 'two' })
})

it('uses the Pod’s own resolvers if tailscaled takes over DNS, and keeps forwarding after a restart without any', async () => {
  const env = { TS_ACCEPT_DNS: 'true', TS_STATE_DIR: '/var/lib/tailscale' }
  const first = await start(env)
  await expect.poll(() => readFileSync(resolvConf(), 'utf8')).toContain('100.100.100.100')
  await resolvesTo('two')
  await leadsTo(first, 'two')
  const { tailscaled } = await first.status()
  first.process.kill('SIGKILL')
  await first.host.exec(['kill', '-KILL', String(tailscaled.pid)])
  await first.process.exited

  await bed.control.putUnderlay({ mode: 'silent' })
  await using proxy = await start(env)
  await expect.poll(() => readFileSync(resolvConf(), 'utf8')).toContain('100.100.100.100')
  await proxy.until((status) => /10\.99\.0\.1: no answer/.test(status.checks['dns']?.reason ?? ''))
  const own = await proxy.own()
  const asked = () => ask(bed.host('client'), { to: own.v4, protocol: 'tcp' })
  expect(await asked()).toMatchObject({ host: 'two' })
  await resolvesTo('three')
  await leadsTo(proxy, 'three')
  expect(await asked()).toMatchObject({ host: 'three' })
})
