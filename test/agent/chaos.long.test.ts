import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { startCapture } from '../lab/traffic/capture.ts'
import { startEcho, startTraffic } from '../lab/traffic/traffic.ts'
import { firewall, interferenceOf } from './firewall.ts'
import { nothingLeft, onDisk, Proxy } from './proxy.ts'
import { noEntries } from '../lab/vitest.ts'

let bed: Bed<'client' | 'proxy' | 'backend'>
beforeAll(async () => {
  bed = await startBed()
  await startEcho(bed.host('backend'))
})
afterAll(async () => bed.down())

const target = { TS_DEST_IP: '10.98.0.11,fd98::11' }
const pause = async (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

it('tailscaled killed 20 times under traffic (state on disk): flows go on, nothing leaves in the clear', async () => {
  await using proxy = await Proxy.ready(bed, { ...target, ...onDisk, TS_AUTHKEY: await bed.authKey() })
  const own = await proxy.own()
  const options = {
    duration: 600_000,
    count: 100_000,
    every: 20,
    patience: 60_000,
    padding: 2000,
    protocol: 'tcp' as const,
  }
  const traffic = await Promise.all([own.v4, own.v6].map((to) => startTraffic(bed.host('client'), { to, ...options })))
  const capture = await startCapture(
    proxy.host,
    'eth0',
    '(net 100.64.0.0/10 or net fd7a:115c:a1e0::/48) and not host 100.100.100.100',
  )
  for (let kills = 1; kills <= 20; kills += 1) {
    await pause(500 + Math.random() * 1500)
    const { tailscaled } = await proxy.status()
    await proxy.host.exec(['kill', '-KILL', String(tailscaled.pid)])
    await proxy.until((status) => status.ready && status.tailscaled.restarts === kills)
  }
  const answered = traffic.map(({ report }) => report?.answered ?? 0)
  await expect
    .poll(() => traffic.every(({ report }, index) => (report?.answered ?? 0) > (answered[index] ?? 0)), {
      timeout: 60_000,
    })
    .toBe(true)
  for (const flow of traffic) expect(await flow.stop()).not.toHaveProperty('broken')
  expect(await capture.stop()).toEqual([])
})

it('SIGTERM at 50 random moments after the first line: exit code 0 each time, and nothing left behind', async () => {
  for (let round = 0; round < 50; round += 1) {
    const proxy = await Proxy.start(bed, { ...target, TS_AUTHKEY: await bed.authKey() })
    await proxy.process.line(/^boot: /)
    const ms = Math.round(Math.random() * 2000)
    await pause(ms)
    proxy.process.kill('SIGTERM')
    expect(await proxy.ended(), `after ${ms} ms`).toMatchObject({ code: 0, reason: '' })
    await nothingLeft(proxy.host, `after ${ms} ms`)
  }
})

it('rules deleted 50 times under traffic: established flows survive each repair', async () => {
  await using proxy = await Proxy.ready(bed, { ...target, TS_AUTHKEY: await bed.authKey() })
  const own = await proxy.own()
  const traffic = (['tcp', 'udp'] as const).flatMap((protocol) =>
    [own.v4, own.v6].map((to) => ({
      protocol,
      flow: startTraffic(bed.host('client'), {
        to,
        protocol,
        duration: 300_000,
        count: 100_000,
        every: 5,
        patience: 5000,
      }),
    })),
  )
  await Promise.all(traffic.map(({ flow }) => flow))
  const { deleteRules } = interferenceOf(proxy.host)
  for (let round = 0; round < 50; round += 1) {
    await pause(200 + Math.random() * 300)
    // Whether or not the rules are back by now.
    await deleteRules()
  }
  // With iptables the agent looks for changes every one and a half seconds.
  const repairs = firewall === 'nftables' ? 25 : 5
  await proxy.until((status) => status.ready && (status.reconcilers.forwarding?.repairs ?? 0) >= repairs)
  for (const { protocol, flow } of traffic) {
    const report = await (await flow).stop()
    expect(report).toMatchObject({ errors: noEntries })
    // tailscaled reopens its socket soon after its start, and loses the datagrams of that moment.
    if (protocol === 'tcp') expect(report.lost).toBe(0)
    else expect(report.lost, 'fewer than there were repairs').toBeLessThan(repairs)
    expect(report).not.toHaveProperty('broken')
    expect(report.answered).toBeGreaterThan(1000)
  }
})

it('a control server outage of a minute under traffic loses no message, and the agent recovers by itself', async () => {
  await using proxy = await Proxy.ready(bed, { ...target, TS_AUTHKEY: await bed.authKey() })
  const own = await proxy.own()
  const traffic = await Promise.all(
    [own.v4, own.v6].flatMap((to) =>
      (['tcp', 'udp'] as const).flatMap((protocol) =>
        (['flow', 'connect'] as const).map((mode) =>
          startTraffic(bed.host('client'), {
            to,
            protocol,
            mode,
            duration: 200_000,
            count: 50_000,
            every: 20,
            patience: 5000,
          }),
        ),
      ),
    ),
  )
  // Until each tunnel has found its path.
  await pause(3000)
  await bed.control.startOutage({ seconds: 60 })
  await pause(60_000)
  expect((await proxy.status()).ready).toBe(true)
  for (const flow of traffic) {
    const report = await flow.stop()
    expect(report).toMatchObject({ lost: 0, errors: noEntries })
    expect(report).not.toHaveProperty('broken')
    expect(report.answered).toBeGreaterThan(1000)
  }
  const { id } = (await proxy.status()).node
  await expect.poll(async () => (await bed.control.node(String(id))).polling).toBe(true)
})

it('memory stays bounded through 300 repairs in a row', async () => {
  await using proxy = await Proxy.ready(bed, { ...target, TS_AUTHKEY: await bed.authKey() })
  const { deleteRules } = interferenceOf(proxy.host)
  for (let round = 0; round < 300; round += 1) {
    await deleteRules()
    await pause(60)
  }
  const status = readFileSync(`/proc/${proxy.process.pid}/status`, 'utf8')
  const anonymous = Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1]) / 1024
  // Some 30 MiB with the limit on V8's young generation; more than 80 without.
  expect(anonymous).toBeLessThan(64)
})
