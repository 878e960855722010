import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { startCapture } from '../lab/traffic/capture.ts'
import { startEcho, startTraffic } from '../lab/traffic/traffic.ts'
import { testBed } from '../lab/vitest.ts'
import { interferenceOf } from './firewall.ts'
import { egressEntry, Group, groupBed } from './group.ts'
import { Proxy } from './proxy.ts'

it('ProxyGroup egress survives 40 faults of all kinds under traffic: flows go on, nothing leaves in the clear', async () => {
  await using bed = await testBed(groupBed)
  await startEcho(bed.host('db'))
  const group = await Group.make(bed, 'egress')
  const services = (count: number) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, index) => [
        `s${index}`,
        egressEntry({ fqdn: 'db.lab.ts.net' }, 10_000 + index),
      ]),
    )
  await group.egress(services(1))
  await using proxy = await Proxy.ready(bed, { ...group.env('egress'), TS_AUTHKEY: await bed.authKey() })
  await proxy.until(({ ready }) => ready)
  const ways = [proxy.host.address.v4, proxy.host.address.v6].flatMap((to) =>
    (['tcp', 'udp'] as const).map((protocol) => ({ to: String(to), protocol })),
  )
  const bounds = { port: 10_000, duration: 900_000, count: 100_000, every: 20, padding: 1000 }
  const traffic = await Promise.all(
    ways.map((way) =>
      startTraffic(bed.host('app'), { ...way, ...bounds, patience: way.protocol === 'tcp' ? 120_000 : 1000 }),
    ),
  )
  const outside = await startCapture(
    proxy.host,
    'eth0',
    'not host 100.100.100.100 and (net 100.64.0.0/10 or net fd7a:115c:a1e0::/48)',
  )
  const interference = interferenceOf(proxy.host)
  let restarts = 0
  const faults: (() => Promise<unknown>)[] = [
    async () => {
      restarts += 1
      return proxy.host.exec(['pkill', '-KILL', '-x', 'tailscaled'])
    },
    async () => {
      restarts += 1
      return proxy.host.exec(['ip', 'link', 'del', 'tailscale0'])
    },
    async () => {
      await interference.deleteRules()
      // Without the guard, the next fault would let packets out.
      await expect.poll(interference.guarded).toBe(true)
    },
    async () => group.egress(services(1 + Math.floor(Math.random() * 500))),
  ]
  for (let round = 0; round < 40; round += 1) {
    await delay(Math.random() * 2000)
    await faults[round % faults.length]!()
    await proxy.until((status) => status.ready && status.tailscaled.restarts === restarts)
  }
  const answered = traffic.map(({ report }) => report?.answered ?? 0)
  const moving = () => traffic.every(({ report }, index) => (report?.answered ?? 0) > (answered[index] ?? 0) + 50)
  await expect.poll(moving).toBe(true)
  for (const flow of traffic) expect(await flow.stop()).not.toHaveProperty('broken')
  expect(await outside.stop()).toEqual([])
})
