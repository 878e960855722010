import { expect } from 'vitest'
import { type Bed, startBed } from '../../lab/bed.ts'
import type { Families } from '../../lab/control-types.ts'
import type { Host } from '../../lab/hosts/host.ts'
import { poll } from '../../lab/poll.ts'
import { askAll, startEcho, startTraffic } from '../../lab/traffic/traffic.ts'
import type { Environment } from '../proxy.ts'
import { noEntries } from '../../lab/vitest.ts'

/** Addresses behind the router, as the tailnet reaches them: by a subnet route of each family, and by 4via6. */
export const routed = { v4: '192.0.2.7', v6: '2001:db8::7', via: 'fd7a:115c:a1e0:b1a:0:7:c000:207' } as const
/** The 4via6 name of the site behind the router. */
export const site = '192-0-2-7-via-7.lab.ts.net'

/** A Tailscale Service that the router hosts. */
export const web = { name: 'web.lab.ts.net', v4: '100.99.1.1', v6: 'fd7a:115c:a1e0::9901' } as const

const routes = [`${routed.v4}/32`, `${routed.v6}/128`, `${routed.via}/128`]

export const hosts = {
  db: { network: 'wan', tailscaled: { up: ['--accept-routes'] } },
  router: { network: 'wan', tailscaled: { up: [`--advertise-routes=${routes.join(',')}`] } },
  dual: { network: 'cluster' },
  only4: { network: 'cluster', ipv6: false },
  only6: { network: 'cluster', ipv4: false },
  app: { network: 'cluster' },
} as const

/** The echo server answers UDP from the node's own address; connection tracking restores the address that was asked. */
const restoreAskedAddress = `
table inet lab {
  chain prerouting {
    type nat hook prerouting priority dstnat;
    ip daddr { ${routed.v4}, ${web.v4} } redirect
    ip6 daddr { ${routed.v6}, ${web.v6} } redirect
  }
}
`

export type ModesBed = Bed<keyof typeof hosts>
export type PodHost = 'dual' | 'only4' | 'only6'
export type Family = 'v4' | 'v6'

/** The families of a Pod, those that the tailnet gives its node, and those that both have: nothing is translated. */
export type Combination = { readonly pod: PodHost; readonly tailnet: Families; readonly forwarded: readonly Family[] }

/** Combinations in which something is forwarded. */
export const working: readonly Combination[] = [
  { pod: 'dual', tailnet: 'both', forwarded: ['v4', 'v6'] },
  { pod: 'only4', tailnet: 'both', forwarded: ['v4'] },
  { pod: 'only6', tailnet: 'both', forwarded: ['v6'] },
  { pod: 'dual', tailnet: 'v4', forwarded: ['v4'] },
  { pod: 'only4', tailnet: 'v4', forwarded: ['v4'] },
  { pod: 'dual', tailnet: 'v6', forwarded: ['v6'] },
  { pod: 'only6', tailnet: 'v6', forwarded: ['v6'] },
]

/** Combinations in which nothing can be forwarded. */
export const failing: readonly Combination[] = [
  { pod: 'only4', tailnet: 'v6', forwarded: [] },
  { pod: 'only6', tailnet: 'v4', forwarded: [] },
]

/** Nodes in the tailnet, one of them a router and host of a Tailscale Service, and three hosts for a proxy. */
export async function startModes(options: { readonly cluster?: { readonly nodes: 0 } } = {}): Promise<ModesBed> {
  const bed = await startBed({ hosts, ...options })
  const { control } = bed
  const router = bed.host('router')
  for (const address of [routed.v4, routed.v6, web.v4, web.v6]) {
    await router.exec(['ip', 'address', 'add', address, 'dev', 'lo'])
  }
  await router.exec(['nft', '-f', '-'], { input: restoreAskedAddress })
  // The kernel limits the rate of its ICMP errors; a test provokes more of them than a client would.
  for (const pod of ['dual', 'only4', 'only6'] as const) {
    const limits = pod === 'only4' ? [] : ['net.ipv6.icmp.ratelimit=0']
    await bed.host(pod).exec(['sysctl', '-qw', 'net.ipv4.icmp_ratelimit=0', ...limits])
  }
  await control.patchNode('router', {
    routes: [...routes, `${web.v4}/32`, `${web.v6}/128`],
    capMap: { 'service-host': [{ 'svc:web': [web.v4, web.v6] }] },
  })
  await control.putExtraRecords([web.v4, web.v6].map((value) => ({ name: web.name, value })))
  await Promise.all(
    (['db', 'router', 'app'] as const).map((host) => startEcho(bed.host(host), { ports: [7000, 7001, 41641] })),
  )
  return bed
}

/** The agent's environment in the bed, for a Pod with the families of its host. */
export async function podEnv(bed: ModesBed, pod: PodHost): Promise<Environment> {
  const { v4, v6 } = bed.host(pod).address
  return {
    TS_AUTHKEY: await bed.authKey(),
    // A Pod without IPv4 reaches the control server over IPv6.
    TS_EXTRA_ARGS: `--login-server=${v4 === undefined ? 'http://[fd99::1]:8080' : bed.controlUrl} --accept-routes`,
    POD_IP: String(v4 ?? v6),
    POD_IPS: [v4, v6].filter((address) => address !== undefined).join(','),
  }
}

/** The reported reasons why traffic to a Pod is not forwarded, one for each family of the Pod that is not. */
export const notForwarded = (bed: ModesBed, { pod, forwarded }: Combination): string[] =>
  (['v4', 'v6'] as const)
    .filter((family) => bed.host(pod).address[family] !== undefined && !forwarded.includes(family))
    .map((family) => `the node has no ${family === 'v4' ? 'IPv4' : 'IPv6'} address in the tailnet`)

/** The addresses of a node in the tailnet. */
export async function addressesOf(bed: ModesBed, node: string): Promise<Readonly<Record<Family, string>>> {
  const { addresses } = await bed.control.node(node)
  const [v4 = '', v6 = ''] = ['.', ':'].map((sign) => addresses.find((address) => address.includes(sign)))
  return { v4, v6 }
}

const protocols = ['tcp', 'udp'] as const

type Asked = {
  readonly port?: number
  readonly protocols?: readonly ('tcp' | 'udp')[]
  readonly forwarded: readonly Family[]
  /** What an answer says. */
  readonly as: (family: Family) => object
}

/** Sends TCP and UDP to an address of each family: those of `carries` must be answered, the others refused at once. */
export async function answered(
  from: Host,
  to: Readonly<Record<Family, string | undefined>>,
  { port = 7000, protocols: asked = protocols, forwarded, as }: Asked,
): Promise<void> {
  const questions = (['v4', 'v6'] as const).flatMap((family) =>
    asked.flatMap((protocol) => {
      const address = to[family]
      const data = `${protocol} ${address} ${port}`
      return address === undefined ? [] : [{ family, to: address, port, protocol, data }]
    }),
  )
  for (const [index, answer] of (await askAll(from, questions)).entries()) {
    const { family, data } = questions[index]!
    if (forwarded.includes(family)) expect(answer).toMatchObject({ data, ...as(family) })
    else expect(answer, data).toMatchObject({ message: expect.stringContaining('ECONNREFUSED') })
  }
}

/** The hops that the answer to a ping has left, of the 64 that it begins with: they show who answered. */
export async function hopsLeft(from: Host, to: string): Promise<number> {
  const ping = async (): Promise<number | undefined> => {
    const { stdout } = await from.exec(['busybox', 'ping', '-c', '1', '-W', '5', to], { check: false })
    const left = /ttl=(\d+)/.exec(stdout)?.[1]
    return left === undefined ? undefined : Number(left)
  }
  return poll(`an answer to a ping of ${to}`, ping)
}

/** Exchanges messages larger than a packet, over both families. */
export async function largeMessagesPass(
  from: Host,
  to: Readonly<Record<Family, string | undefined>>,
  port = 7000,
): Promise<void> {
  const exchange = { port, protocol: 'tcp', padding: 1_000_000, count: 5, every: 200 } as const
  for (const address of [to.v4, to.v6]) {
    if (address === undefined) continue
    const traffic = await startTraffic(from, { ...exchange, to: address })
    expect(await traffic.done()).toMatchObject({ answered: 5, lost: 0, errors: noEntries })
  }
}

/** The answer of an HTTP server at an address to a request for the node's name. */
export async function httpGet(from: Host, to: string, port: number, path = '/'): Promise<string> {
  const request = { host: to, port, path, headers: { host: 'proxy.lab.ts.net' } }
  const program = `require('node:http').get(${JSON.stringify(request)}, (response) => response.pipe(process.stdout))`
  return (await from.exec([process.execPath, '--eval', program])).stdout
}
