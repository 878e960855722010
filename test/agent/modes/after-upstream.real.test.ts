import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Bed, startBed } from '../../lab/bed.ts'
import { poll } from '../../lab/poll.ts'
import { ask, startEcho } from '../../lab/traffic/traffic.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { egressServices, writeToProxy, peer, Upstream } from '../../netfilter/leftovers/upstream.ts'
import { egressEntry, Group } from '../group.ts'
import { type Environment, onDisk, Proxy } from '../proxy.ts'
import { SecretBed } from '../secret-bed.ts'

// A container with this agent replaces one with upstream's, in the same network namespace.
const hosts = {
  one: { network: 'wan', tailscaled: true },
  other: { network: 'wan', tailscaled: true },
  proxy: { network: 'cluster' },
  before: { network: 'cluster' },
  after: { network: 'cluster' },
} as const

let bed: Bed<keyof typeof hosts>
beforeAll(async () => {
  bed = await startBed({ hosts, cluster: { nodes: 0 } })
  // Upstream's operator does this before its agent starts.
  await bed.host('proxy').exec(['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'])
  await Promise.all((['one', 'other', 'before', 'after'] as const).map((host) => startEcho(bed.host(host))))
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

const ruleset = async (): Promise<string> => (await bed.host('proxy').exec(['nft', 'list', 'ruleset'])).stdout
const own = (host: 'proxy' | 'before' | 'after') => [bed.host(host).address.v4, bed.host(host).address.v6].map(String)

/** Starts this agent where upstream's was killed, and waits until upstream's rules are gone. */
async function takeOver(env: Environment, theirs: RegExp): Promise<Proxy> {
  expect(await ruleset()).toMatch(theirs)
  const proxy = await Proxy.ready(bed, env)
  await proxy.process.line(/removed what another agent left in this network namespace/)
  await proxy.until(({ ready }) => ready)
  const rules = (await ruleset()).replace(/^table inet culvert \{[\s\S]*?^\}/m, '')
  expect(rules).not.toMatch(theirs)
  return proxy
}

async function answeredBy(from: 'one' | 'before', to: readonly string[], host: string, port = 7000): Promise<void> {
  for (const address of to) {
    for (const protocol of ['tcp', 'udp'] as const) {
      // A node that was killed is reached again with the second handshake, five seconds after the first.
      const answer = await ask(bed.host(from), { to: address, port, protocol })
      expect(answer).toMatchObject({ host })
    }
  }
}

it('L3 egress reaches its own target', async () => {
  const [one, other] = [await peer(bed, 'one'), await peer(bed, 'other')]
  const upstream = await Upstream.start(bed, { ...onDisk, TS_TAILNET_TARGET_IP: one.v4 })
  await answeredBy('before', own('proxy').slice(0, 1), 'one')
  await upstream.kill()
  await using _ = await takeOver({ ...onDisk, TS_TAILNET_TARGET_FQDN: other.name }, new RegExp(`dnat to ${one.v4}`))
  await answeredBy('before', own('proxy'), 'other')
})

it('L3 ingress reaches its own backend', async () => {
  const [before, after] = [own('before'), own('after')]
  const upstream = await Upstream.start(bed, { ...onDisk, TS_DEST_IP: String(before[0]) })
  await upstream.kill()
  await using proxy = await takeOver({ ...onDisk, TS_DEST_IP: after.join() }, new RegExp(`dnat to ${before[0]}`))
  const { v4, v6 } = await proxy.own()
  await answeredBy('one', [v4, v6], 'after')
})

it('ProxyGroup egress has only its own services', async () => {
  const state = await SecretBed.make(bed, 'egress')
  const [one, other] = [await peer(bed, 'one'), await peer(bed, 'other')]
  await writeToProxy(bed, '/tmp/egress/egress-services', egressServices(one, other))
  const upstream = await Upstream.start(bed, {
    ...state.env(),
    POD_IPS: own('proxy').join(),
    TS_EGRESS_PROXIES_CONFIG_PATH: '/tmp/egress',
  })
  await poll('rules of upstream', async () => ((await ruleset()).includes('dport 10021') ? true : undefined))
  await upstream.kill()

  const group = await Group.make(bed, 'egress')
  // A port of upstream's that now has another target; the others have none.
  await group.egress({ 'default-one': egressEntry({ fqdn: other.name }, 10_000) })
  await using _ = await takeOver({ ...group.env('egress'), TS_AUTHKEY: await bed.authKey() }, /dport 100\d\d .*dnat/)
  await answeredBy('before', own('proxy'), 'other', 10_000)
  for (const to of own('proxy')) {
    await expect(ask(bed.host('before'), { to, port: 10_010, protocol: 'tcp' })).rejects.toThrow('ECONNREFUSED')
  }
})
