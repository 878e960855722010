import { running } from '../localapi.ts'
import type { Scenario } from '../scenario.ts'
import { inKernel, inMemory, type Scenarios, tailscaled, up, userspace, withKey } from './common.ts'

/** Both forwarding settings of the kernel. */
const forwarding = (ipv4: '0' | '1', ipv6: '0' | '1') => ({
  'proc/sys/net/ipv4/ip_forward': ipv4,
  'proc/sys/net/ipv6/conf/all/forwarding': ipv6,
})

const routesInKernel = (TS_ROUTES: string, files: ReturnType<typeof forwarding>): Scenario => ({
  env: { ...withKey, ...inKernel, TS_ROUTES },
  phases: [
    {
      runs: [tailscaled(inMemory), up('--accept-dns=false', '--authkey=tskey-key', `--advertise-routes=${TS_ROUTES}`)],
    },
    { send: running(), files },
  ],
})

/** Subnet routes, and the TUN device with what is forwarded through it. */
export const kernel: Scenarios = {
  routes: {
    env: { ...withKey, TS_ROUTES: '1.2.3.0/24,10.20.30.0/24' },
    phases: [
      {
        runs: [
          tailscaled(inMemory, userspace),
          up('--accept-dns=false', '--authkey=tskey-key', '--advertise-routes=1.2.3.0/24,10.20.30.0/24'),
        ],
      },
      { send: running(), files: forwarding('0', '0') },
    ],
  },
  empty_routes: {
    env: { ...withKey, TS_ROUTES: '' },
    phases: [
      {
        runs: [tailscaled(inMemory, userspace), up('--accept-dns=false', '--authkey=tskey-key', '--advertise-routes=')],
      },
      { send: running(), files: forwarding('0', '0') },
    ],
  },
  routes_kernel_ipv4: routesInKernel('1.2.3.0/24,10.20.30.0/24', forwarding('1', '0')),
  routes_kernel_ipv6: routesInKernel('::/64,1::/64', forwarding('0', '1')),
  routes_kernel_all_families: routesInKernel('::/64,1.2.3.0/24', forwarding('1', '1')),
  'a device, or userspace networking if that does not work': {
    env: {
      ...withKey,
      ...inKernel,
      TS_ROUTES: '1.2.3.0/24',
      TS_TAILSCALED_EXTRA_ARGS: '--tun=ts0,userspace-networking',
    },
    phases: [
      {
        runs: [
          tailscaled(inMemory, '--tun=ts0,userspace-networking'),
          up('--accept-dns=false', '--authkey=tskey-key', '--advertise-routes=1.2.3.0/24'),
        ],
      },
      { send: running(), files: forwarding('1', '0'), warnings: [] },
    ],
  },
  'an exit node': {
    env: { ...withKey, ...inKernel, TS_EXTRA_ARGS: '--advertise-exit-node' },
    phases: [
      { runs: [tailscaled(inMemory), up('--accept-dns=false', '--authkey=tskey-key', '--advertise-exit-node')] },
      { send: running(), files: forwarding('1', '1') },
    ],
  },
  'an exit node that may not switch on forwarding': {
    env: { ...withKey, ...inKernel, TS_EXTRA_ARGS: '--advertise-exit-node' },
    files: { 'proc/sys/net/ipv6/conf/all/forwarding': null, 'proc/sys/net/ipv6/conf/all/forwarding/in-its-place': '' },
    phases: [
      { runs: [tailscaled(inMemory), up('--accept-dns=false', '--authkey=tskey-key', '--advertise-exit-node')] },
      { send: running(), log: /warning: IPv6 forwarding is off/ },
    ],
  },
  ingress_proxy: {
    env: { ...withKey, ...inKernel, TS_DEST_IP: '1.2.3.4' },
    phases: [
      { runs: [tailscaled(inMemory), up('--accept-dns=false', '--authkey=tskey-key')] },
      { send: running(), files: forwarding('1', '0'), log: 'forwarding 100.64.0.1 to 1.2.3.4' },
    ],
  },
}
