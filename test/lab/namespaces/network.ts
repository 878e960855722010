import { run } from '../run.ts'
import { gateway, networks, type Address, type NetworkName } from './addresses.ts'
import { enterNetwork } from './enter.ts'

export type Link = {
  readonly host: string
  /** The host's holder. */
  readonly pid: number
  readonly network: NetworkName
  readonly address: Address
  readonly mtu: number
}

const bedSettings = [
  // Duplicate address detection would make every IPv6 address unusable for a second or more.
  'net.ipv6.conf.all.accept_dad=0',
  'net.ipv6.conf.default.accept_dad=0',
  'net.ipv4.ip_forward=1',
  'net.ipv6.conf.all.forwarding=1',
  // So that every packet is answered with an error, and not only one per second.
  'net.ipv4.icmp_ratelimit=0',
  'net.ipv6.icmp.ratelimit=0',
  // Hosts of one network communicate over the bridge; a kernel that filters bridges would apply our rules to that.
  'net.bridge.bridge-nf-call-iptables=0',
  'net.bridge.bridge-nf-call-ip6tables=0',
]

const hostSettings = [
  'net.ipv6.conf.all.accept_dad=0',
  'net.ipv6.conf.default.accept_dad=0',
  'net.ipv6.conf.all.accept_ra=0',
  'net.ipv6.conf.default.accept_ra=0',
  // As in a fresh Pod: forwarding must be turned on. A new namespace may inherit another value.
  'net.ipv4.ip_forward=0',
  'net.ipv6.conf.all.forwarding=0',
  'net.ipv4.conf.all.rp_filter=0',
  'net.ipv4.conf.default.rp_filter=0',
]

/**
 * The cluster reaches the outside as Pods do, through NAT; from outside no connection to the cluster is possible. It is
 * refused at once, so that a test need not wait for a timeout.
 */
const bedRules = `table inet lab {
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    iifname "cluster" oifname "wan" accept
    meta l4proto tcp reject with tcp reset
    reject with icmpx type admin-prohibited
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    iifname "cluster" oifname "wan" masquerade
  }
}
`

/** Creates the two networks in the bed's network namespace. */
export async function createNetworks(bed: number): Promise<void> {
  await setKernel(bed, bedSettings)
  const lines = ['link set lo up']
  for (const name of Object.keys(networks) as NetworkName[]) {
    const { v4, v6 } = gateway(name)
    lines.push(
      `link add ${name} mtu 1500 type bridge forward_delay 0 stp_state 0 mcast_snooping 0`,
      `addr add ${v4}/24 dev ${name}`,
      `addr add ${v6}/64 dev ${name} nodad`,
      `link set ${name} up`,
    )
  }
  await Promise.all([
    ip(bed, lines),
    run([...enterNetwork(bed), 'nft', '-f', '-'], { input: bedRules, doing: "load the bed's firewall" }),
  ])
}

/** Connects hosts to their networks: `eth0` in each, with addresses and default routes. */
export async function connectHosts(bed: number, links: readonly Link[]): Promise<void> {
  await Promise.all(
    links.map(({ pid, address }) =>
      setKernel(pid, [
        ...hostSettings,
        ...(address.v6 === undefined
          ? ['net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1']
          : []),
      ]),
    ),
  )
  await ip(
    bed,
    links.flatMap(({ host, pid, network, mtu }) => [
      `link add ${port(host)} mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${pid}`,
      `link set ${port(host)} master ${network} up`,
    ]),
  )
  await Promise.all(links.map((link) => ip(link.pid, hostLines(link))))
}

function hostLines({ network, address }: Link): string[] {
  const { v4, v6 } = gateway(network)
  return [
    'link set lo up',
    'link set eth0 up',
    ...(address.v4 === undefined ? [] : [`addr add ${address.v4}/24 dev eth0`, `route add 0.0.0.0/0 via ${v4}`]),
    ...(address.v6 === undefined ? [] : [`addr add ${address.v6}/64 dev eth0 nodad`, `route add ::/0 via ${v6}`]),
  ]
}

/** The bed's end of a host's veth pair. Device names have at most 15 characters. */
export function port(host: string): string {
  return `to-${host}`
}

/** Runs lines of `ip -batch` in the network of process `pid`. */
export async function ip(pid: number, lines: readonly string[]): Promise<void> {
  const doing = `set up the network of process ${pid}`
  await run([...enterNetwork(pid), 'ip', '-batch', '-'], { input: `${lines.join('\n')}\n`, doing })
}

/** Sets kernel parameters, each `name=value`, of the network of process `pid`. */
export async function setKernel(pid: number, settings: readonly string[]): Promise<void> {
  await run([...enterNetwork(pid), 'sysctl', '-e', '-q', '-w', ...settings], { doing: 'set kernel parameters' })
}
