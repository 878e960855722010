import { execa } from 'execa'
import { startBed, type Bed } from '../../test/lab/bed.ts'
import type { Host } from '../../test/lab/hosts/host.ts'
import { type Side, sides } from '../pair.ts'
import { targets } from './services.ts'

/** A client in the cluster, two nodes that forward, and a peer with all targets. */
const hosts = {
  app: { network: 'cluster' },
  ours: { network: 'cluster' },
  upstream: { network: 'cluster' },
  peer: { network: 'wan' },
} as const

const peerAddress = '100.64.255.254'

export type LinkBed = Bed<keyof typeof hosts>

/**
 * A bed in which a plain link to the peer replaces each node's tunnel, so that the rules are measured and not
 * tailscaled. `own`: the nodes' addresses in the tailnet.
 */
export async function startLinkBed(own: Readonly<Record<Side, string>>): Promise<LinkBed> {
  const bed = await startBed({ hosts })
  const peer = bed.host('peer')
  await ip(peer, 'address', 'add', peerAddress, 'dev', 'lo')
  await ip(peer, 'route', 'add', 'local', targets, 'dev', 'lo')
  for (const side of sides) {
    const node = bed.host(side)
    const toPeer = ['type', 'veth', 'peer', 'name', side, 'netns', String(peer.pid)]
    // The peer's PID is known on this side only, so this cannot be done inside the node.
    const link = ['ip', 'link', 'add', 'tailscale0', ...toPeer]
    await execa('nsenter', [`--net=/proc/${node.pid}/ns/net`, '--', ...link])
    await ip(node, 'link', 'set', 'tailscale0', 'mtu', '1280', 'up')
    await ip(peer, 'link', 'set', side, 'mtu', '1280', 'up')
    await ip(node, 'address', 'add', own[side], 'dev', 'tailscale0')
    await ip(node, 'route', 'add', peerAddress, 'dev', 'tailscale0')
    await ip(node, 'route', 'add', targets, 'via', peerAddress, 'dev', 'tailscale0')
    await ip(peer, 'route', 'add', own[side], 'dev', side)
    await node.exec(['sysctl', '--quiet', '--write', 'net.ipv4.ip_forward=1'])
  }
  return bed
}

const ip = async (host: Host, ...args: readonly string[]): Promise<unknown> => await host.exec(['ip', ...args])
