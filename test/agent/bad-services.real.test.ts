import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { ask, startEcho, startTraffic } from '../lab/traffic/traffic.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { type EgressEntry, egressEntry, Group, groupBed } from './group.ts'
import { Proxy } from './proxy.ts'

// Mistakes in mounted files affect only their entries, in a running agent.
let bed: Bed<'db' | 'proxy' | 'app'>
let group: Group
let proxy: Proxy
beforeAll(async () => {
  bed = await startBed(groupBed)
  await startEcho(bed.host('db'))
  group = await Group.make(bed, 'egress')
  await group.egress({})
})
afterAll(async () => {
  await proxy[Symbol.asyncDispose]()
  await bed.down()
})
beforeEach(async () => {
  printLogsOnFailure(bed)
  const env = { TS_ENABLE_METRICS: 'true', CULVERT_TEST_SHORT_WAITS: 'true', TS_AUTHKEY: await bed.authKey() }
  proxy ??= await Proxy.ready(bed, { ...group.env('egress'), ...env })
  await proxy.until(({ ready }) => ready)
})

const db = { fqdn: 'db.lab.ts.net' }
const firstPort = 10_000
/** This many services, by name, each with a port of its own. */
const services = (count: number, target: EgressEntry['tailnetTarget'] = db): Record<string, EgressEntry> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`s${index}`, egressEntry(target, firstPort + index)]))

type EgressStatus = { readonly services: Readonly<Record<string, unknown>> | null }
const listedServices = async (): Promise<string[]> =>
  Object.keys((await group.status<EgressStatus>('egress-services'))?.services ?? {})
/** The number of IPv4 ports that the kernel forwards into the tailnet. */
const ports = async (): Promise<number> => {
  const { stdout } = await proxy.host.exec(['nft', '-j', 'list', 'map', 'inet', 'culvert', 'ports4'])
  const { nftables } = JSON.parse(stdout) as { nftables: { map?: { elem?: unknown[] } }[] }
  return nftables.find(({ map }) => map !== undefined)?.map?.elem?.length ?? 0
}
const metrics = async (): Promise<string> =>
  (await proxy.host.exec(['busybox', 'wget', '-q', '-O', '-', 'http://127.0.0.1:9002/metrics'])).stdout
const preshutdown = async (): Promise<string> => {
  const url = 'http://127.0.0.1:9002/internal-egress-services-preshutdown'
  return (await proxy.host.exec(['busybox', 'wget', '-q', '-S', '-O', '-', url], { check: false })).stderr
}

describe('one bad service of 1,000', () => {
  const good = egressEntry(db, 20_000)
  const port = { protocol: 'TCP', matchPort: 20_000, targetPort: 7000 } as const
  it.each<[string, unknown, field: string, reason: RegExp]>([
    [
      'an unknown name',
      egressEntry({ fqdn: 'nobody.lab.ts.net' }, 20_000),
      '',
      /nothing is called nobody\.lab\.ts\.net/,
    ],
    [
      'a malformed address',
      egressEntry({ ip: '100.64.0.300' }, 20_000),
      'tailnetTarget.ip',
      /"100\.64\.0\.300" is not/,
    ],
    ['port 0', { ...good, ports: [{ ...port, matchPort: 0 }] }, 'ports[0].matchPort', /^0 is not/],
    ['port 70000', { ...good, ports: [{ ...port, targetPort: 70_000 }] }, 'ports[0].targetPort', /^70000 is not/],
    ['an unknown protocol', { ...good, ports: [{ ...port, protocol: 'SCTP' }] }, 'ports[0].protocol', /"SCTP" is not/],
    [
      'the port of another service',
      { ...good, ports: [{ ...port, matchPort: firstPort }] },
      'ports[0].matchPort',
      /belongs to s0/,
    ],
    [
      'the port that answers probes',
      { ...good, ports: [port, { ...port, matchPort: 9002 }] },
      '',
      /TCP port 9002 of this Pod is the agent’s or tailscaled’s own: choose another matchPort/,
    ],
    ['the Pod as its target', egressEntry({ ip: '10.98.0.10' }, 20_000), '', /10\.98\.0\.10 is this Pod/],
    ['a wrong type', { ...good, ports: '7000' }, 'ports', /is not a list/],
    ['a missing field', { ports: good.ports }, 'tailnetTarget', /it is missing/],
  ])('%s: it is named, and the other 999 work', async (what, entry, field, reason) => {
    const bad = `x-${what.replaceAll(/\W/g, '-')}`
    await group.egress({})
    await expect.poll(listedServices).toEqual([])
    await group.egress({ ...services(999), [bad]: entry })
    await expect.poll(async () => (await listedServices()).length, { interval: 100 }).toBe(999)
    expect(await ports()).toBe(2 * 999)
    expect(await ask(bed.host('app'), { to: '10.98.0.10', port: firstPort + 998, protocol: 'udp' })).toMatchObject({
      host: 'db',
    })

    const { stdout } = await proxy.command('status', '--json')
    const { rejected, services: all } = JSON.parse(stdout) as {
      rejected: { file: string; entry: string; field: string; reason: string }[]
      services: { name: string; problems: string[] }[]
    }
    const lines = (await metrics()).split('\n').filter((line) => line.includes(`"${bad}"`))
    if (field === '') {
      expect(rejected).toEqual([])
      expect(all.filter(({ problems }) => problems.length > 0)).toEqual([
        expect.objectContaining({ name: bad, problems: [expect.stringMatching(reason)] }),
      ])
      expect(lines).toEqual([expect.stringMatching(/^culvert_service_problem_info\{service="[^"]+",reason=".+"\} 1$/)])
    } else {
      expect(rejected).toEqual([{ file: 'egress-services', entry: bad, field, reason: expect.stringMatching(reason) }])
      expect(lines).toEqual([expect.stringContaining(`field="${field}"`)])
    }
    // The file changes repeatedly, but the entry is reported once.
    for (const count of [998, 999]) {
      await group.egress({ ...services(count), [bad]: entry })
      await expect.poll(async () => (await listedServices()).length).toBe(count)
    }
    const reports = proxy.lines.filter((line) => line.includes(bad))
    expect(reports).toHaveLength(1)
    expect(reports[0]).toContain(field)
  })
})

it('a file that is replaced 50 times a second: the last version is applied, and traffic goes on', async () => {
  await group.egress(services(10))
  await expect.poll(async () => (await listedServices()).length).toBe(10)
  const to = { to: '10.98.0.10', port: firstPort }
  const traffic = await Promise.all(
    (['tcp', 'udp'] as const).flatMap((protocol) =>
      (['flow', 'connect'] as const).map((mode) => startTraffic(bed.host('app'), { ...to, protocol, mode })),
    ),
  )
  const texts = [JSON.stringify(services(20)), '{"half', '', JSON.stringify(services(300)), '[]']
  const swaps = 200
  for (let swap = 0; swap < swaps; swap += 1) {
    const due = delay(20)
    await group.write({ 'egress-services': texts[swap % texts.length]! })
    await due
  }
  await group.egress(services(30))
  await expect.poll(async () => (await listedServices()).length, { interval: 20 }).toBe(30)
  expect(await ports()).toBe(60)
  for (const flow of traffic) {
    const report = await flow.stop()
    expect(report).toMatchObject({ lost: 0, errors: {} })
    expect(report).not.toHaveProperty('broken')
  }
})

it.each(['{"half', '', '[]', ' '.repeat(10 * 1024 * 1024), undefined])(
  'an unusable file (%#): the last good one stays in use',
  async (text) => {
    await group.egress(services(5))
    await expect.poll(async () => (await listedServices()).length).toBe(5)
    await group.write({ 'hep-pings': '3', ...(text !== undefined && { 'egress-services': text }) })
    await proxy.until(({ checks }) => checks['services']?.state === 'failing')
    expect((await listedServices()).length).toBe(5)
    expect(await ask(bed.host('app'), { to: '10.98.0.10', port: firstPort, protocol: 'tcp' })).toMatchObject({
      host: 'db',
    })
    expect(await metrics()).toContain('culvert_config_rejected{file="egress-services"} 1')
  },
)

it('more services than fit into the Secret: all are forwarded, those that fit are listed, the rest is reported', async () => {
  const many = 7500
  const entry = (matchPort: number) => ({
    tailnetTarget: db,
    ports: [{ protocol: 'TCP', matchPort, targetPort: 7000 }],
  })
  const all = Object.fromEntries(Array.from({ length: many }, (_, index) => [`m${index}`, entry(firstPort + index)]))
  await group.egress(all)
  await expect.poll(ports).toBe(many)
  await expect.poll(async () => (await listedServices()).length).toBeGreaterThan(5000)
  const listed = await listedServices()
  expect(listed.length).toBeLessThan(many)
  expect(await ask(bed.host('app'), { to: '10.98.0.10', port: firstPort + many - 1, protocol: 'tcp' })).toMatchObject({
    host: 'db',
  })
  const { reason } = (await proxy.until(({ checks }) => checks['services']?.state === 'failing')).checks['services']!
  expect(reason).toMatch(/m\d+: it is forwarded, but the state Secret has no room to list it/)
  expect(proxy.lines.join('\n')).toMatch(/no room to list it/)
  expect((await metrics()).match(/^culvert_service_problem_info/gm)).toHaveLength(100)
})

it.each([' 3\n', '', '-1', '9'.repeat(30)])('hep-pings %j: the preStop hook gets its answer anyway', async (text) => {
  // Nothing listens there: the service is no longer forwarded here.
  const entry = { ...egressEntry(db, firstPort), healthCheckEndpoint: 'http://10.98.0.11:1/healthz' }
  await group.write({ 'egress-services': JSON.stringify({ s0: entry }), 'hep-pings': text })
  await expect.poll(async () => (await listedServices()).length).toBe(1)
  expect(await preshutdown()).toContain('HTTP/1.1 200')
  await proxy.until(({ ready }) => ready)
})
