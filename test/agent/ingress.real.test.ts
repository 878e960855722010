import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { ask, startEcho, startTraffic } from '../lab/traffic/traffic.ts'
import { expectCounted } from './counted.ts'
import { Proxy } from './proxy.ts'
import { noEntries } from '../lab/vitest.ts'

let bed: Bed<'client' | 'proxy' | 'backend'>
beforeAll(async () => {
  bed = await startBed()
  await startEcho(bed.host('backend'))
})
afterAll(async () => bed.down())

const both = '10.98.0.11,fd98::11'
const protocols = ['tcp', 'udp'] as const

describe('L3 ingress forwards packets of tailnet clients to the backend', () => {
  it.each([
    ['both families', both, ['v4', 'v6']],
    ['IPv4 alone', '10.98.0.11', ['v4']],
    ['IPv6 alone', 'fd98::11', ['v6']],
    ['through a device with another name', both, ['v4', 'v6'], '--tun=ts0'],
  ] as const)('%s', async (_name, target, carried, args: string = '') => {
    const env = { TS_DEST_IP: target, TS_TAILSCALED_EXTRA_ARGS: args, TS_AUTHKEY: await bed.authKey() }
    await using proxy = await Proxy.ready(bed, env)
    await proxy.until(({ ready }) => ready)
    const own = await proxy.own()
    const { stdout: inWords } = await proxy.command('ruleset')
    for (const family of carried) {
      const to = bed.host('backend').address[family]
      expect(inWords.split('\n')).toContain(`From the tailnet, to ${own[family]}: to ${to}, seen as the Pod.`)
    }
    expect((await proxy.command('ruleset', '--raw')).stdout).toMatch(/^table inet culvert \{|CULVERT/)
    for (const family of ['v4', 'v6'] as const) {
      for (const protocol of protocols) {
        const asked = ask(bed.host('client'), {
          to: own[family],
          protocol,
          data: `${family} ${protocol}`,
        })
        if ((carried as readonly string[]).includes(family)) {
          // Backends see the Pod's address and reply to it, whatever route they have to the tailnet.
          expect(await asked).toMatchObject({
            host: 'backend',
            data: `${family} ${protocol}`,
            peer: proxy.host.address[family],
          })
        } else {
          await expect(asked).rejects.toThrow()
        }
      }
    }
  })

  it('nothing reaches the backend without the proxy', async () => {
    for (const to of [bed.host('backend').address.v4, bed.host('backend').address.v6]) {
      await expect(ask(bed.host('client'), { to: String(to), protocol: 'tcp' })).rejects.toThrow(
        /ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EACCES|ETIMEDOUT/,
      )
    }
  })

  it('large messages pass in both directions over a path whose MTU is smaller than the backend’s, and are counted', async () => {
    await using proxy = await Proxy.ready(bed, { TS_DEST_IP: both, TS_AUTHKEY: await bed.authKey() })
    const own = await proxy.own()
    for (const to of [own.v4, own.v6]) {
      const traffic = await startTraffic(bed.host('client'), {
        to,
        protocol: 'tcp',
        padding: 1_000_000,
        count: 10,
        every: 200,
      })
      expect(await traffic.done()).toMatchObject({ answered: 10, lost: 0, errors: noEntries })
    }
    const of = { service: 'node' }
    await expectCounted(proxy, bed.host('client'), own, { open: { ...of, port: 7000 }, closed: { ...of, port: 7009 } })
  })

  it('backends see clients’ addresses if tailscaled is set not to masquerade', async () => {
    const env = {
      TS_DEST_IP: both,
      TS_AUTHKEY: await bed.authKey(),
      TS_EXTRA_ARGS: `--login-server=${bed.controlUrl} --snat-subnet-routes=false`,
    }
    await using proxy = await Proxy.ready(bed, env)
    const backend = bed.host('backend')
    const [v4, v6] = [proxy.host.address.v4, proxy.host.address.v6].map(String)
    await backend.exec(['ip', 'route', 'add', '100.64.0.0/10', 'via', String(v4)])
    await backend.exec(['ip', '-6', 'route', 'add', 'fd7a:115c:a1e0::/48', 'via', String(v6)])
    try {
      const own = await proxy.own()
      const client = (await bed.control.node('client')).addresses
      for (const to of [own.v4, own.v6]) {
        const { peer } = await ask(bed.host('client'), { to, protocol: 'tcp' })
        expect(client.map((prefix) => prefix.split('/')[0])).toContain(peer)
      }
    } finally {
      await backend.exec(['ip', 'route', 'del', '100.64.0.0/10'])
      await backend.exec(['ip', '-6', 'route', 'del', 'fd7a:115c:a1e0::/48'])
    }
  })
})

it('rules follow a change of the node’s addresses, and flows to the old ones end', async () => {
  await using proxy = await Proxy.ready(bed, { TS_DEST_IP: both, TS_AUTHKEY: await bed.authKey() })
  const before = await proxy.own()
  const flow = await startTraffic(bed.host('client'), { to: before.v4, protocol: 'tcp' })
  const node = String((await proxy.status()).node.id)
  await bed.control.patchNode(node, { addresses: ['100.99.0.9', 'fd7a:115c:a1e0::99'] })
  await proxy.until((status) =>
    status.targets.every(({ from }) => from.join() === '100.99.0.9' || from.join() === 'fd7a:115c:a1e0::99'),
  )
  for (const to of ['100.99.0.9', 'fd7a:115c:a1e0::99']) {
    for (const protocol of protocols)
      expect(await ask(bed.host('client'), { to, protocol })).toMatchObject({ host: 'backend' })
  }
  const old = async () => (await proxy.host.exec(['conntrack', '-L', '--orig-dst', before.v4])).stdout
  await expect.poll(old).toBe('')
  await flow.stop()
})
