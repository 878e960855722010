import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { ask, startEcho } from '../lab/traffic/traffic.ts'
import { Proxy } from './proxy.ts'

let bed: Bed<'client' | 'proxy' | 'backend' | 'other'>
let proxy: Proxy
let rules: string
beforeAll(async () => {
  bed = await startBed({
    hosts: {
      client: { network: 'wan', tailscaled: true },
      proxy: { network: 'cluster' },
      backend: { network: 'cluster' },
      other: { network: 'cluster' },
    },
  })
  await startEcho(bed.host('backend'))
})
afterAll(async () => bed.down())

const list = async (): Promise<string> => {
  const { stdout } = await proxy.host.exec(['nft', '-s', 'list', 'table', 'inet', 'culvert'], { check: false })
  // The order of sets in a listing changes with the transaction that made them.
  return stdout.split('\n').toSorted().join('\n')
}
const agent = async () =>
  Proxy.ready(bed, {
    TS_DEST_IP: `${bed.host('backend').address.v4},${bed.host('backend').address.v6}`,
    TS_AUTHKEY: await bed.authKey(),
  })

it.each([
  ['the rules flushed', ['flush', 'ruleset']],
  ['the table deleted', ['delete', 'table', 'inet', 'culvert']],
  ['a chain flushed', ['flush', 'chain', 'inet', 'culvert', 'guard']],
  ['an element removed', ['delete', 'element', 'inet', 'culvert', 'ingress4', '{', 'OWN', '}']],
  ['an address removed from the guard', ['delete', 'element', 'inet', 'culvert', 'own4', '{', 'OWN', '}']],
  ['an element added', ['add', 'element', 'inet', 'culvert', 'own4', '{', '100.127.0.1', '}']],
  ['a rule added', ['insert', 'rule', 'inet', 'culvert', 'forward', 'drop']],
])('%s by another program: repaired, and counted', async (_name, change) => {
  await using started = await agent()
  proxy = started
  rules = await list()
  const own = await proxy.own()
  const { repairs = 0 } = (await proxy.status()).reconcilers.forwarding ?? {}
  await proxy.host.exec(['nft', ...change.map((word) => (word === 'OWN' ? own.v4 : word))])
  await expect.poll(list, { interval: 20 }).toBe(rules)
  await proxy.until((status) => (status.reconcilers.forwarding?.repairs ?? 0) > repairs)
  expect(proxy.lines.join('\n')).toMatch(/another program had changed what was in place; repaired/)
  for (const to of [own.v4, own.v6])
    expect(await ask(bed.host('client'), { to, protocol: 'tcp' })).toMatchObject({ host: 'backend' })
})

it('another monitor is started when the monitor ends', async () => {
  await using started = await agent()
  proxy = started
  rules = await list()
  const kill = () => proxy.host.exec(['pkill', '-KILL', '-f', 'nft monitor'], { check: false })
  await expect.poll(async () => (await kill()).exitCode).toBe(0)
  await proxy.process.line(/nft monitor ended/)
  await proxy.host.exec(['nft', 'delete', 'table', 'inet', 'culvert'])
  await expect.poll(list, { interval: 20 }).toBe(rules)
})

it('nothing is written while our table is unchanged', async () => {
  await using started = await agent()
  proxy = started
  const monitor = await proxy.host.spawn(['nft', 'monitor'], { name: 'monitor' })
  // Another program's transactions make the agent look, but not write.
  const change = async () =>
    proxy.host.exec(['nft', 'add table inet other; add chain inet other culvert; delete table inet other'])
  const seen = async () => {
    await change()
    return monitor.log.length
  }
  await expect.poll(seen).toBeGreaterThan(0)
  for (let round = 0; round < 5; round += 1) await change()
  const { v4 } = await proxy.own()
  await proxy.host.exec(['nft', `delete element inet culvert own4 { ${v4} }`])
  await proxy.until((status) => (status.reconcilers.forwarding?.repairs ?? 0) > 0)
  await monitor.line(/^add element inet culvert own4/)
  monitor.kill('SIGTERM')
  await monitor.exited
  // Nothing before the first real repair.
  const ours = monitor.log.filter((line) => line.includes('inet culvert '))
  expect(ours[0]).toMatch(/^delete element inet culvert own4/)
  expect(ours[1]).toMatch(/^add element inet culvert own4/)
})

it('another program’s translation between other devices is untouched', async () => {
  await using started = await agent()
  proxy = started
  const [here, there] = [proxy.host.address.v4, bed.host('backend').address.v4].map(String)
  // An address in the tailnet's range on purpose: clusters use that range for Pods and Services, too.
  await proxy.host.exec(['nft', '-f', '-'], {
    input:
      `table ip foreign {\n chain pre { type nat hook prerouting priority dstnat; ip daddr 100.100.1.1 dnat to ${there}; }\n` +
      ' chain post { type nat hook postrouting priority srcnat; ct status dnat masquerade; }\n}\n',
  })
  await bed.host('other').exec(['ip', 'route', 'replace', '100.100.1.1', 'via', String(here)])
  expect(await ask(bed.host('other'), { to: '100.100.1.1', protocol: 'tcp' })).toMatchObject({
    host: 'backend',
  })
  expect(await ask(bed.host('other'), { to: '100.100.1.1', protocol: 'udp' })).toMatchObject({
    host: 'backend',
  })
  await proxy.host.exec(['nft', 'delete', 'table', 'ip', 'foreign'])
})
