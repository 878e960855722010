import { afterEach, expect, it } from 'vitest'
import { planForwarding } from '../../../agent/forwarding/reconciler.ts'
import { checks } from '../../../agent/status/checks.ts'
import { followName } from '../../../agent/targets/follow-name.ts'
import { parseResolvConf } from '../../../agent/targets/resolv-conf.ts'
import { timings } from '../../../agent/world/timings.ts'
import type { DnsAnswer } from '../../../lib/resolver.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { aContext } from '../a-context.ts'
import { aWorld } from '../a-world.ts'
import { addresses, brokenAnswer, noAddress, withTtl } from './answers.ts'

let end = (): void => {}
afterEach(() => end())

const env = { TS_USERSPACE: 'false', TS_EXPERIMENTAL_DEST_DNS_NAME: 'db.test.' }
const conf = parseResolvConf('nameserver 10.96.0.10\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4')

/** Follows `db.test.`, whose A records can be set at any time. */
async function follow(first: DnsAnswer, readConf = async () => conf) {
  const clock = new VirtualClock()
  const { context, store, lines, stop } = aContext(aWorld({ reports: {} }, env), { clock, timings })
  end = () => stop.abort()
  const dns = { answer: first, asked: 0, servers: [] as readonly string[], hosts: '' }
  const ask = async ({ family, servers }: { family: 4 | 6; servers: readonly string[] }): Promise<DnsAnswer> => {
    if (family === 6) return noAddress
    dns.asked += 1
    dns.servers = servers
    return dns.answer
  }
  await followName(context, 'db.test.', { ask, readConf, readHosts: async () => dns.hosts })
  await clock.settle()
  const check = (name: string) => checks(store.world).find((one) => one.name === name)
  return { clock, store, lines, dns, check, used: () => store.world.destination?.addresses.map(({ text }) => text) }
}

it('resolves again when the TTL is over, and plans nothing for the same set in another order', async () => {
  const { clock, store, dns } = await follow(withTtl(30, '10.0.0.1', '10.0.0.2'))
  expect(dns).toMatchObject({ asked: 1, servers: ['10.96.0.10', '10.0.0.2', '10.0.0.3'] })
  const plan = planForwarding(store.world)
  expect(plan).toMatchObject({ table: { ingress: { 4: new Map([['100.64.0.1', ['10.0.0.1', '10.0.0.2']]]) } } })
  dns.answer = withTtl(0, '10.0.0.2', '10.0.0.1')
  await clock.advance(29_999)
  expect(dns.asked).toBe(1)
  await clock.advance(1)
  expect(dns.asked).toBe(2)
  expect(planForwarding(store.world)).toBe(plan)
  await clock.advance(60_000)
  expect(dns.asked).toBe(2 + 12)
  dns.answer = withTtl(2 ** 31 - 1, '10.0.0.1')
  await clock.advance(5000)
  expect(planForwarding(store.world)).not.toBe(plan)
  await clock.advance(3_600_000)
  expect(dns.asked).toBe(2 + 12 + 1 + 6)
})

it('keeps the last good set while DNS fails for ten minutes, and says since when and why', async () => {
  const { clock, lines, dns, check, used } = await follow(addresses('10.0.0.1'))
  expect(check('dns')?.state).toBe('ok')
  dns.answer = brokenAnswer
  await clock.advance(30_000)
  const before = dns.asked
  await clock.advance(600_000)
  expect(used()).toEqual(['10.0.0.1'])
  expect(check('dns')).toMatchObject({
    state: 'failing',
    gates: false,
    reason: 'db.test. cannot be resolved: 10.96.0.10: no answer; the last good addresses stay in use',
  })
  // At most half a minute apart, ± 20 %.
  expect(dns.asked - before).toBeGreaterThanOrEqual(600 / 36)
  expect(dns.asked - before).toBeLessThanOrEqual(10 + 600 / 24)
  expect(lines).toEqual(['warning: db.test. cannot be resolved: 10.96.0.10: no answer'])
  dns.answer = addresses('10.0.0.2')
  await clock.advance(36_000)
  expect(used()).toEqual(['10.0.0.2'])
  expect(check('dns')?.state).toBe('ok')
  expect(lines.at(-1)).toBe('the name db.test. is good again')
})

it('waits for a name that has never been resolved, and leaves the rules of an earlier container alone', async () => {
  const { clock, store, dns, check } = await follow(noAddress)
  expect(planForwarding(store.world)).toBe('guard')
  expect(check('dns')).toMatchObject({ state: 'failing', reason: 'db.test. has no address' })
  expect(check('forwarding')).toMatchObject({
    state: 'waiting',
    gates: true,
    reason: 'db.test. has no address: nothing is forwarded yet',
  })
  dns.answer = addresses('10.0.0.1')
  await clock.advance(36_000)
  expect(planForwarding(store.world)).toMatchObject({
    table: { ingress: { 4: new Map([['100.64.0.1', ['10.0.0.1']]]) } },
  })
  expect(check('dns')?.state).toBe('ok')
})

it('keeps connections to an address that the name no longer has for two minutes', async () => {
  const { clock, store, dns } = await follow(addresses('10.0.0.1', '10.0.0.2'))
  dns.answer = addresses('10.0.0.1')
  await clock.advance(30_000)
  expect(store.world.destination?.left).toHaveLength(1)
  await clock.advance(119_999)
  expect(store.world.destination?.left).toHaveLength(1)
  await clock.advance(1)
  expect(store.world.destination?.left).toEqual([])
})

it('uses the last resolv.conf if it cannot be read any more; reports it if it never could', async () => {
  let readable = true
  const readConf = async () => {
    if (readable) return conf
    throw new Error('EACCES')
  }
  const { clock, dns, used } = await follow(addresses('10.0.0.1'), readConf)
  readable = false
  dns.answer = addresses('10.0.0.2')
  await clock.advance(30_000)
  expect(used()).toEqual(['10.0.0.2'])
  const never = await follow(addresses('10.0.0.1'), readConf)
  expect(never.dns.asked).toBe(0)
  expect(never.check('dns')?.reason).toBe('/etc/resolv.conf cannot be read: EACCES')
})

it('uses 127.0.0.1 if resolv.conf names no resolver', async () => {
  const { dns } = await follow(addresses('10.0.0.1'), async () => parseResolvConf(''))
  expect(dns.servers).toEqual(['127.0.0.1'])
})

it('uses the addresses in /etc/hosts before those of DNS, and reads it again', async () => {
  const { clock, dns, used, store } = await follow(addresses('10.0.0.1'))
  dns.hosts = '10.0.0.7 db.test'
  await clock.advance(30_000)
  expect(used()).toEqual(['10.0.0.7'])
  expect(store.world.destination?.resolved?.as).toBe('db.test. in /etc/hosts')
  expect(dns.asked).toBe(1)
  dns.hosts = ''
  await clock.advance(30_000)
  expect(used()).toEqual(['10.0.0.1'])
})

it('warns once of addresses in the tailnet’s range, from which tailscaled drops packets', async () => {
  const { clock, dns, lines, check } = await follow(addresses('100.80.0.1', '100.80.0.2', '10.0.0.1'))
  await clock.advance(120_000)
  expect(lines).toEqual([
    expect.stringMatching(
      /^warning: db\.test\. \(100\.80\.0\.1, 100\.80\.0\.2\) has an address .*--netfilter-mode=off/,
    ),
  ])
  // It works if that filter is off.
  expect(check('dns')?.state).toBe('ok')
  dns.answer = addresses('10.0.0.1')
  await clock.advance(30_000)
  expect(lines.at(-1)).toBe('the name db.test. is good again')
})
