import { execa } from 'execa'
import { type Bed, startBed } from '../lab/bed.ts'

/** The node's addresses in the tailnet, and those of its only peer. */
export const own = { v4: '100.64.0.1', v6: 'fd7a:115c:a1e0::1' }
export const peer = { v4: '100.64.0.2', v6: 'fd7a:115c:a1e0::2' }

export type TunnelBed = Bed<'peer' | 'node' | 'backend'>

/**
 * A node without a tailnet: a plain link to its peer stands in for the tunnel, so that the test controls the timing.
 */
export async function startTunnelBed(): Promise<TunnelBed> {
  const bed = await startBed({
    hosts: { peer: { network: 'wan' }, node: { network: 'cluster' }, backend: { network: 'cluster' } },
  })
  const [node, other] = [bed.host('node'), bed.host('peer')]
  const link = ['ip', 'link', 'add', 'tailscale0', 'type', 'veth', 'peer', 'name', 'tunnel', 'netns', String(other.pid)]
  await execa('nsenter', [`--net=/proc/${node.pid}/ns/net`, '--', ...link])
  const configure = async (host: typeof node, device: string, here: typeof own, there: typeof own) => {
    await host.exec(['ip', 'link', 'set', device, 'up'])
    for (const address of [here.v4, here.v6]) await host.exec(['ip', 'addr', 'add', address, 'dev', device])
    for (const address of [there.v4, there.v6]) await host.exec(['ip', 'route', 'add', address, 'dev', device])
  }
  await configure(node, 'tailscale0', own, peer)
  await configure(other, 'tunnel', peer, own)
  await node.exec(['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'])
  return bed
}
