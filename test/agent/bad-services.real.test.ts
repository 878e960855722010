import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { ask, startEcho, startTraffic } from '../lab/traffic/traffic.ts'
import { noEntries, printLogsOnFailure } from '../lab/vitest.ts'
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

it('ten bad services of 1,000, each in another way: they are named, and the other 990 work', async () => {
  const good = egressEntry(db, 20_000)
  const port = { protocol: 'TCP', matchPort: 20_000, targetPort: 7000 } as const
  /** The entry, its field if it is rejected, and why. Of two new services with the same port, the first by name has it. */
  const bad: Readonly<Record<string, readonly [unknown, field: string, reason: RegExp]>> = {
    'x-unknown-name': [
      egressEntry({ fqdn: 'nobody.lab.ts.net' }, 20_001),
      '',
      /nothing is called nobody\.lab\.ts\.net/,
    ],
    'x-malformed-address': [
      egressEntry({ ip: '100.64.0.300' }, 20_002),
      'tailnetTarget.ip',
      /"100\.64\.0\.300" is not/,
    ],
    'x-port-0': [{ ...good, ports: [{ ...port, matchPort: 0 }] }, 'ports[0].matchPort', /^0 is not/],
    'x-port-70000': [{ ...good, ports: [{ ...port, targetPort: 70_000 }] }, 'ports[0].targetPort', /^70000 is not/],
    'x-unknown-protocol': [{ ...good, ports: [{ ...port, protocol: 'SCTP' }] }, 'ports[0].protocol', /"SCTP" is not/],
    'x-port-of-another': [
      { ...good, ports: [{ ...port, matchPort: firstPort }] },
      'ports[0].matchPort',
      /belongs to s0/,
    ],
    'x-port-of-probes': [
      { ...good, ports: [port, { ...port, matchPort: 9002 }] },
      '',
      /TCP port 9002 of this Pod is the agent’s or tailscaled’s own: choose another matchPort/,
    ],
    'x-pod-as-target': [egressEntry({ ip: '10.98.0.10' }, 20_003), '', /10\.98\.0\.10 is this Pod/],
    'x-wrong-type': [{ ...good, ports: '7000' }, 'ports', /is not a list/],
    'x-missing-field': [{ ports: good.ports }, 'tailnetTarget', /it is missing/],
  }
  const entries = Object.fromEntries(Object.entries(bad).map(([name, [entry]]) => [name, entry as EgressEntry]))
  await group.egress({ ...services(990), ...entries })
  await expect.poll(async () => (await listedServices()).length, { interval: 100 }).toBe(990)
  expect(await ports()).toBe(2 * 990)
  expect(await ask(bed.host('app'), { to: '10.98.0.10', port: firstPort + 989, protocol: 'udp' })).toMatchObject({
    host: 'db',
  })

  const { stdout } = await proxy.command('status', '--json')
  const { rejected, services: all } = JSON.parse(stdout) as {
    rejected: { file: string; entry: string; field: string; reason: string }[]
    services: { name: string; problems: string[] }[]
  }
  const shown = (await metrics()).split('\n')
  // The file changes repeatedly, but each entry is reported once.
  for (const count of [989, 990]) {
    await group.egress({ ...services(count), ...entries })
    await expect.poll(async () => (await listedServices()).length).toBe(count)
  }
  for (const [name, [, field, reason]] of Object.entries(bad)) {
    const matching = expect.stringMatching(reason) as string
    const lines = shown.filter((line) => line.includes(`"${name}"`))
    expect(rejected.filter(({ entry }) => entry === name)).toEqual(
      field === '' ? [] : [{ file: 'egress-services', entry: name, field, reason: matching }],
    )
    if (field === '') {
      expect(all.find((service) => service.name === name)?.problems).toEqual([matching])
      expect(lines).toEqual([expect.stringMatching(/^culvert_service_problem_info\{service="[^"]+",reason=".+"\} 1$/)])
    } else expect(lines).toEqual([expect.stringContaining(`field="${field}"`)])
    const reports = proxy.lines.filter((line) => line.includes(name))
    expect(reports).toEqual([expect.stringContaining(field)])
  }
  expect(rejected).toHaveLength(7)
  expect(all.filter(({ problems }) => problems.length > 0)).toHaveLength(3)
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
  // What is no longer listed may be forwarded for a moment.
  await expect.poll(ports).toBe(60)
  for (const flow of traffic) {
    const report = await flow.stop()
    expect(report).toMatchObject({ lost: 0, errors: noEntries })
    expect(report).not.toHaveProperty('broken')
  }
})

it.each(['{"half', '', '[]', ' '.repeat(10 * 1024 * 1024), undefined].map((text, index) => [index, text] as const))(
  'an unusable file (%i): the last good one stays in use',
  async (index, text) => {
    // Another number each time, so that this file is seen to be in use and not the one before.
    const count = 5 + index
    await group.egress(services(count))
    await expect.poll(async () => (await listedServices()).length).toBe(count)
    await group.write({ 'hep-pings': '3', ...(text !== undefined && { 'egress-services': text }) })
    // Without `hep-pings` the check has already failed: only the metric tells that the file was read.
    await expect.poll(metrics).toContain('culvert_config_rejected{file="egress-services"} 1')
    await proxy.until(({ checks }) => checks['services']?.state === 'failing')
    expect((await listedServices()).length).toBe(count)
    expect(await ask(bed.host('app'), { to: '10.98.0.10', port: firstPort, protocol: 'tcp' })).toMatchObject({
      host: 'db',
    })
  },
)

it('more services than fit into the Secret as text: all are forwarded, and listed there compressed', async () => {
  const many = 7500
  const entry = (matchPort: number) => ({
    tailnetTarget: db,
    ports: [{ protocol: 'TCP', matchPort, targetPort: 7000 }],
  })
  const all = Object.fromEntries(Array.from({ length: many }, (_, index) => [`m${index}`, entry(firstPort + index)]))
  await group.egress(all)
  await expect.poll(ports).toBe(many)
  await expect.poll(async () => (await listedServices()).length).toBe(many)
  expect(await ask(bed.host('app'), { to: '10.98.0.10', port: firstPort + many - 1, protocol: 'tcp' })).toMatchObject({
    host: 'db',
  })
  await proxy.until(({ ready }) => ready)
})

const pings = [' 3\n', '9'.repeat(30)].map((text, index) => [text, `pings${index}`] as const)
it.each(pings)('hep-pings %j: the preStop hook gets its answer anyway', async (text, name) => {
  // Nothing listens there: the service is no longer forwarded here.
  const entry = { ...egressEntry(db, firstPort), healthCheckEndpoint: 'http://10.98.0.11:1/healthz' }
  await group.write({ 'egress-services': JSON.stringify({ [name]: entry }), 'hep-pings': text })
  await expect.poll(listedServices).toEqual([name])
  expect(await preshutdown()).toContain('HTTP/1.1 200')
  await proxy.until(({ ready }) => ready)
})
