import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { SecretBed } from '../../agent/secret-bed.ts'
import { type Environment, onDisk } from '../../agent/proxy.ts'
import { startBed } from '../../lab/bed.ts'
import { poll } from '../../lab/poll.ts'
import { egressServices, writeToProxy, ingressServices, peer, Upstream } from './upstream.ts'

// Makes the listings in `dumps/`: what upstream's agent leaves in a network namespace, as nft prints it.
//
//   node test/netfilter/leftovers/capture.ts                  with this machine's nft
//   node test/netfilter/leftovers/capture.ts chroot DIR nft   and with that of another Debian, too

const programs = [['nft'], ...(process.argv.length > 2 ? [process.argv.slice(2)] : [])]
await using bed = await startBed({
  hosts: {
    client: { network: 'wan', tailscaled: true },
    other: { network: 'wan', tailscaled: true },
    proxy: { network: 'cluster' },
    backend: { network: 'cluster' },
  },
  cluster: { nodes: 0 },
})
const proxy = bed.host('proxy')
const [client, other] = [await peer(bed, 'client'), await peer(bed, 'other')]
const backend = { v4: String(bed.host('backend').address.v4), v6: String(bed.host('backend').address.v6) }

/** Lists the four tables with each nft. */
async function dump(name: string): Promise<void> {
  for (const program of programs) {
    const inside = async (...args: string[]): Promise<string> =>
      (await execa('nsenter', [`--net=/proc/${proxy.pid}/ns/net`, ...program, ...args])).stdout
    const version = /v([\d.]+)/.exec(await inside('--version'))?.[1]
    const tables = ['ip nat', 'ip6 nat', 'ip filter', 'ip6 filter'].map((table) => table.split(' '))
    const listings: string[] = []
    for (const table of tables) listings.push(await inside('-j', '--debug=netlink', 'list', 'table', ...table))
    await writeFile(join(import.meta.dirname, 'dumps', `${name}-${version}.txt`), `${listings.join('\n')}\n`)
  }
}

/** Runs upstream's agent until it has made a rule that contains `last`, and kills it. */
async function leave(env: Environment, last: string): Promise<void> {
  const agent = await Upstream.start(bed, env)
  await poll(`a rule with ${last}`, async () =>
    (await proxy.exec(['nft', 'list', 'ruleset'])).stdout.includes(last) ? true : undefined,
  )
  await agent.kill()
}

// One above the other, as restarts of a container with other targets stack them.
await proxy.exec(['nft', 'flush', 'ruleset'])
await leave({ ...onDisk, TS_DEST_IP: backend.v4 }, `dnat to ${backend.v4}`)
await leave({ ...onDisk, TS_DEST_IP: '10.98.0.77' }, 'dnat to 10.98.0.77')
await leave({ ...onDisk, TS_DEST_IP: backend.v6 }, `dnat to ${backend.v6}`)
await leave({ ...onDisk, TS_TAILNET_TARGET_IP: client.v4 }, `dnat to ${client.v4}`)
await leave({ ...onDisk, TS_TAILNET_TARGET_IP: other.v6 }, `dnat to ${other.v6}`)
await leave({ ...onDisk, TS_TAILNET_TARGET_FQDN: other.name }, `dnat to ${other.v4}`)
await writeToProxy(bed, '/tmp/serve.json', { TCP: { 80: { TCPForward: '127.0.0.1:8080' } } })
const podIp = { POD_IP: String(proxy.address.v4), TS_SERVE_CONFIG: '/tmp/serve.json' }
const viaIngress = { ...podIp, EXPERIMENTAL_ALLOW_PROXYING_CLUSTER_TRAFFIC_VIA_INGRESS: 'true' }
await leave({ ...onDisk, ...viaIngress }, `ip daddr ${podIp.POD_IP}`)
await dump('l3')

// Both kinds of a ProxyGroup, and what a restart with fewer services leaves.
await proxy.exec(['nft', 'flush', 'ruleset'])
const pod = { POD_IPS: `${proxy.address.v4},${proxy.address.v6}` }
const egress = await SecretBed.make(bed, 'egress')
await writeToProxy(bed, '/tmp/egress/egress-services', egressServices(client, other))
await leave({ ...egress.env(), ...pod, TS_EGRESS_PROXIES_CONFIG_PATH: '/tmp/egress' }, 'dport 10021')
const ingress = await SecretBed.make(bed, 'ingress')
await writeToProxy(bed, '/tmp/ingress.json', ingressServices)
await leave({ ...ingress.env(), ...pod, TS_INGRESS_PROXIES_CONFIG_PATH: '/tmp/ingress.json' }, 'dnat to fd96::20')
await dump('groups')
