import { expect, it } from 'vitest'
import { trafficReader } from '../../../agent/figures/traffic.ts'
import { type CountedModes, noCounts, type Reading } from '../../../netfilter/traffic.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { aContext } from '../a-context.ts'
import { aWorld } from '../a-world.ts'

/** The counters of a kernel that the test plays. */
function played() {
  const kernel = {
    begun: [] as CountedModes[],
    reads: 0,
    counts: undefined as Reading | undefined,
    refuses: undefined as Error | undefined,
  }
  const traffic = {
    begin: async (modes: CountedModes) => {
      if (kernel.refuses) throw kernel.refuses
      kernel.begun.push(modes)
      kernel.counts = new Map()
    },
    read: async () => {
      kernel.reads += 1
      return kernel.counts
    },
  }
  return { kernel, backend: { name: 'nftables', traffic } as const }
}

const counted = (toBytes: number): Reading => new Map([['100.64.0.1', { ...noCounts, toBytes }]])
const modes: CountedModes = { device: 'tailscale0', ingress: true, egress: undefined, unmapped: false }

it('counting begins when start-up is complete, and nothing is read until somebody asks', async () => {
  const world = aWorld()
  const { context, store } = aContext({ ...world, reports: {} })
  const { kernel, backend } = played()
  const read = trafficReader(context, backend)
  expect(await read()).toMatchObject({ since: undefined, problem: undefined })
  expect(kernel.begun).toEqual([])
  store.update(() => ({ ...world, lifecycle: { startedAt: new Date(0) } }))
  await expect.poll(() => kernel.begun).toEqual([modes])
  expect(kernel.reads).toBe(0)
  kernel.counts = counted(7)
  const both = await Promise.all([read(), read()])
  expect(kernel.reads).toBe(1)
  for (const { accounts } of both.map((one) => one!))
    expect([...accounts.services.values()]).toEqual([
      { kind: 'ingress', service: 'node', named: true, counts: { ...noCounts, toBytes: 7 } },
    ])
})

it('a failure is said once, keeps what was counted, and is tried again by the next reader', async () => {
  const { context, lines } = aContext(aWorld())
  const { kernel, backend } = played()
  const read = trafficReader(context, backend)
  kernel.refuses = new Error('no such module')
  for (let times = 0; times < 3; times += 1) expect(await read()).toMatchObject({ problem: 'no such module' })
  expect(lines).toEqual(['warning: traffic is not counted: no such module'])
  kernel.refuses = undefined
  expect(await read()).toMatchObject({ problem: undefined })
  expect(lines).toHaveLength(2)
})

it('counters that another program has removed begin anew, and totals go on', async () => {
  const { context, lines } = aContext(aWorld())
  const { kernel, backend } = played()
  const read = trafficReader(context, backend)
  await read()
  kernel.counts = counted(7)
  await read()
  kernel.counts = undefined
  await read()
  expect(lines).toEqual(['the counters of traffic were removed by another program: they begin anew'])
  kernel.counts = counted(8)
  const { accounts } = (await read())!
  expect([...accounts.services.values()].map(({ counts }) => counts.toBytes)).toEqual([15])
})

it('with iptables there are none, and nothing where no rules forward', async () => {
  const { context } = aContext(aWorld())
  expect(await trafficReader(context, { name: 'iptables' })()).toMatchObject({
    since: undefined,
    problem: 'only nftables can, and the firewall is iptables',
  })
  expect(await trafficReader(context, undefined)()).toBeUndefined()
  const served = aContext(aWorld({}, { TS_USERSPACE: 'true' }))
  expect(await trafficReader(served.context, played().backend)()).toBeUndefined()
})

it('a reader gets the last figures when the present ones take long', async () => {
  const clock = new VirtualClock()
  const { context } = aContext(aWorld(), { clock })
  const { kernel, backend } = played()
  const slow = Promise.withResolvers<Reading>()
  let slowly = false
  const read = trafficReader(context, {
    ...backend,
    traffic: { ...backend.traffic, read: () => (slowly ? slow.promise : backend.traffic.read()) },
  })
  await read()
  kernel.counts = counted(7)
  await read()
  slowly = true
  const bytes = async () => [...(await read())!.accounts.services.values()].map(({ counts }) => counts.toBytes)
  const waiting = bytes()
  await clock.advance(3000)
  expect(await waiting).toEqual([7])
  slow.resolve(counted(9))
  expect(await bytes()).toEqual([9])
})
