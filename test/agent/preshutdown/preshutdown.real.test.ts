import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Timings } from '../../../agent/world/timings.ts'
import { type Bed, type Host, type HostProcess, startBed } from '../../lab/bed.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import type { Reply } from './programs/get.ts'

// The endpoint behind load balancers in the kernel, as kube-proxy makes them, with real replicas and names.
let bed: Bed<'pod' | 'other'>
let pod: Host
const started: HostProcess[] = []
beforeAll(async () => {
  bed = await startBed({ hosts: { pod: { network: 'cluster' }, other: { network: 'cluster' } } })
  pod = bed.host('pod')
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))
afterEach(async () => {
  await Promise.all(started.splice(0).map((process) => process.stop()))
  await bed.control.putUnderlay({ mode: 'normal', records: [] })
})

const program = (name: string): string => join(import.meta.dirname, 'programs', name)
const port = 9002
// On a busy machine an answer may take longer than a ping may: the limit is short only where silence is tested.
const timings = { drainRound: 250, drainSilence: 120_000, drainSettle: 300, progress: 1000 }
const soonGivenUp = { drainSilence: 1500 }
type Version = 'v4' | 'v6'
const service = { v4: (number: number) => `10.96.1.${number}`, v6: (number: number) => `[fd96::1:${number}]` }

/** Starts a replica whose Pod has the host's address of one family. */
async function replica(
  host: Host,
  version: Version,
  urls: readonly string[] = [],
  change: Partial<Timings> = {},
): Promise<HostProcess> {
  const services = Object.fromEntries(urls.map((url, index) => [`s${index}`, url]))
  const argv = [
    process.execPath,
    program('replica.ts'),
    JSON.stringify(services),
    JSON.stringify({ ...timings, ...change }),
  ]
  const env = { POD_IPS: String(host.address[version]) }
  const running = await host.spawn(argv, { name: `replica on ${host.name}`, env })
  started.push(running)
  await running.line(/^listening/)
  return running
}

/** The backends for connections of the Pod to some services: to all of them unless `first` and `last` are given. */
type Balancer = { readonly first?: number; readonly last?: number; readonly to: readonly Host[] | 'reject' | 'drop' }

/** Installs load balancers of both families in the Pod's kernel, replacing the previous ones. */
async function balance(...balancers: Balancer[]): Promise<void> {
  const rules = balancers.map(({ first = 1, last = 100, to }) =>
    (['v4', 'v6'] as const).map((version) => {
      const [ip, network] = version === 'v4' ? ['ip', '10.96.1.'] : ['ip6', 'fd96::1:']
      const services = `${ip} daddr ${network}${first}-${network}${last}`
      if (typeof to === 'string') return `add rule inet lb filter ${services} ${to}`
      const map = to.map(({ address }, index) => `${index} : ${address[version]}`).join(', ')
      return `add rule inet lb nat ${services} dnat ${ip} to numgen random mod ${to.length} map { ${map} }`
    }),
  )
  const input = [
    'table inet lb',
    'delete table inet lb',
    'table inet lb {',
    'chain nat { type nat hook output priority -100; }',
    'chain filter { type filter hook output priority filter; }',
    '}',
    ...rules.flat(),
    '',
  ].join('\n')
  await pod.exec(['nft', '-f', '-'], { input })
}

const urlOf = (path: string, version: Version = 'v4'): string => {
  const address = String(pod.address[version])
  return `http://${version === 'v4' ? address : `[${address}]`}:${port}${path}`
}
const get = (url: string) => pod.spawn([process.execPath, program('get.ts'), url], { name: `get ${url}` })
const hook = (version?: Version) => get(urlOf('/internal-egress-services-preshutdown', version))

async function answerOf(asking: HostProcess): Promise<Reply> {
  return JSON.parse((await asking.line(/^\{.*/))[0]) as Reply
}

describe.each(['v4', 'v6'] as const)('over IP%s', (version) => {
  const url = `http://${service[version](1)}:${port}/healthz`
  const own = version === 'v4' ? 'pod-ipv4' : 'pod-ipv6'

  it('the Pod keeps running until its load balancer has only the other replica', async () => {
    const other = bed.host('other')
    // Mostly here, so that no two rounds in a row reach only the other one.
    await balance({ to: [pod, pod, pod, other] })
    await replica(other, version)
    const running = await replica(pod, version, [url])
    const asking = await hook(version)
    await running.line(/^accepting, asking/)
    await running.line(/^preshutdown: waiting for s0 \(it routes here\)/)
    const health = await answerOf(await get(urlOf('/healthz', version)))
    expect(health).toMatchObject({ status: 200, headers: { [own]: String(pod.address[version]) } })
    // While it has this one, that is logged repeatedly.
    const waited = () => running.log.filter((line) => line.startsWith('preshutdown: waiting for s0')).length
    await expect.poll(waited).toBeGreaterThan(2)
    expect(asking.log).toEqual([])

    const begun = performance.now()
    await balance({ to: [other] })
    expect(await answerOf(asking)).toMatchObject({ status: 200, body: 'safe to terminate\n' })
    expect(performance.now() - begun).toBeGreaterThan(timings.drainSettle)
    expect(running.log.join('\n')).not.toContain('warning')
    await running.line(/^accepting, not waiting/)
    expect(running.log.join('\n')).not.toContain('refusing')
  })

  it('the last replica may end once no load balancer has a backend', async () => {
    await balance({ to: 'reject' })
    const running = await replica(pod, version, [url])
    expect(await answerOf(await hook(version))).toMatchObject({ status: 200 })
    // Known from refused connections, not from a timeout.
    expect(running.log.join('\n')).not.toContain('warning')
  })

  it('a load balancer that drops connections does not block it for ever', async () => {
    await balance({ to: 'drop' })
    const running = await replica(pod, version, [url], soonGivenUp)
    expect(await answerOf(await hook(version))).toMatchObject({ status: 200 })
    await running.line(/^preshutdown: warning: assuming that these no longer route here: s0 \(no answer within 2 s\)/)
  })
})

describe('names', () => {
  const name = 'db.ns.svc.cluster.local'

  it('are resolved in both families', async () => {
    const other = bed.host('other')
    await balance({ to: [pod] })
    await bed.control.putUnderlay({
      records: [
        { name, type: 'A', value: service.v4(1), ttl: 5 },
        { name, type: 'AAAA', value: 'fd96::1:1', ttl: 5 },
      ],
    })
    await replica(other, 'v4')
    const running = await replica(pod, 'v4', [`http://${name}:${port}/healthz`])
    const asking = await hook()
    await running.line(/^preshutdown: waiting for s0 \(it routes here\)/)
    await balance({ to: [other] })
    expect(await answerOf(asking)).toMatchObject({ status: 200 })
    expect(running.log.join('\n')).not.toContain('warning')
  })

  it.each([
    ['normal', /ENOTFOUND/],
    ['servfail', /ESERVFAIL/],
    ['silent', /ETIMEOUT/],
  ] as const)('that are not found do not block it for ever, with a name server that is %s', async (mode, reason) => {
    await bed.control.putUnderlay({ mode })
    const running = await replica(pod, 'v4', [`http://${name}:${port}/healthz`], soonGivenUp)
    expect(await answerOf(await hook())).toMatchObject({ status: 200 })
    const [line] = await running.line(/^preshutdown: warning: assuming that these no longer route here.*/)
    expect(line).toMatch(reason)
  })
})

describe('a hundred services', () => {
  const urls = Array.from({ length: 100 }, (_, index) => `http://${service.v4(index + 1)}:${port}/healthz`)

  it('are all waited for', async () => {
    const other = bed.host('other')
    await balance({ to: [pod] })
    await replica(other, 'v4')
    const running = await replica(pod, 'v4', urls)
    const asking = await hook()
    await running.line(/^preshutdown: waiting for s0 \(it routes here\), .* and 95 others/)
    await balance({ last: 50, to: 'reject' }, { first: 51, last: 99, to: [other] }, { first: 100, to: [pod] })
    await running.line(/^preshutdown: waiting for s99 \(it routes here\)$/)
    expect(asking.log).toEqual([])
    await balance({ to: [other] })
    expect(await answerOf(asking)).toMatchObject({ status: 200 })
  })

  it('are no longer pinged once the client has gone', async () => {
    await balance({ to: [pod] })
    const running = await replica(pod, 'v4', urls)
    const asking = await hook()
    await running.line(/^preshutdown: waiting for s0 /)
    asking.kill('SIGKILL')
    await running.line(/^preshutdown: ended, since nobody waits any more/)
    await running.line(/^accepting, not waiting/)
    const counted = async () => (await pod.exec(['nstat', '-asz', 'TcpActiveOpens'])).stdout
    const before = await counted()
    await new Promise((resolve) => setTimeout(resolve, 1500))
    expect(await counted()).toBe(before)
  })

  it('are no longer pinged once the agent stops', async () => {
    await balance({ to: [pod] })
    const running = await replica(pod, 'v4', urls)
    const asking = await hook()
    await running.line(/^preshutdown: waiting for s0 /)
    running.kill('SIGTERM')
    expect(await answerOf(asking)).toMatchObject({ status: 503 })
  })
})
