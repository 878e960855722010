import type { Variable } from './variable.ts'

/** Login, and the node in the tailnet. */
export const login = [
  {
    name: 'TS_AUTHKEY',
    type: 'text',
    secret: true,
    effect:
      'Auth key or OAuth client’s secret for `tailscale up`; with `file:PATH`, read from that file and in no process list',
  },
  {
    name: 'TS_AUTH_KEY',
    type: 'text',
    secret: true,
    olderNameOf: 'TS_AUTHKEY',
    effect: 'Older name of `TS_AUTHKEY`; if both are set, `TS_AUTHKEY` is used',
  },
  { name: 'TS_CLIENT_ID', type: 'text', effect: 'OAuth client ID for `tailscale up`' },
  { name: 'TS_CLIENT_SECRET', type: 'text', secret: true, effect: 'OAuth client secret for `tailscale up`' },
  { name: 'TS_ID_TOKEN', type: 'text', secret: true, effect: 'Workload identity token for `tailscale up`' },
  { name: 'TS_AUDIENCE', type: 'text', effect: 'Workload identity audience for `tailscale up`' },
  {
    name: 'TS_AUTH_ONCE',
    type: 'boolean',
    default: 'false',
    effect: 'Run `tailscale up` only if tailscaled asks for a login, followed by `tailscale set`',
  },
  { name: 'TS_HOSTNAME', type: 'text', effect: 'Name of the node in the tailnet' },
  { name: 'TS_ACCEPT_DNS', type: 'boolean', default: 'false', effect: 'Whether tailscaled takes over the Pod’s DNS' },
  {
    name: 'TS_ROUTES',
    type: 'text',
    presence: true,
    effect: 'Subnet routes to advertise, separated by commas without spaces; an empty value withdraws them',
  },
  { name: 'TS_EXTRA_ARGS', type: 'words', effect: 'Additional arguments of `tailscale up`, split at white space' },
  {
    name: 'TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR',
    type: 'path',
    effect: 'One-step mode: directory of `cap-N.hujson` files, with which tailscaled logs in without `tailscale up`',
  },
  {
    name: 'CULVERT_CONFIG_SECRET',
    type: 'text',
    effect:
      'One-step mode: the Secret from which the agent writes these files, and keeps them up to date, where it cannot be mounted',
  },
] as const satisfies readonly Variable[]

/** How tailscaled runs. */
export const daemon = [
  { name: 'TS_USERSPACE', type: 'boolean', default: 'true', effect: 'Userspace networking instead of a TUN device' },
  {
    name: 'TS_STATE_DIR',
    type: 'path',
    effect:
      'Directory of tailscaled’s state; with a state Secret, only of its other files; without both, state is in memory',
  },
  {
    name: 'TS_KUBE_SECRET',
    type: 'text',
    presence: true,
    effect: 'State Secret; in Kubernetes `tailscale` if unset, none if empty',
  },
  { name: 'TS_SOCKET', type: 'path', default: '/tmp/tailscaled.sock', effect: 'Socket of tailscaled’s LocalAPI' },
  { name: 'TS_SOCKS5_SERVER', type: 'text', effect: 'Address of tailscaled’s SOCKS5 proxy' },
  { name: 'TS_OUTBOUND_HTTP_PROXY_LISTEN', type: 'text', effect: 'Address of tailscaled’s HTTP proxy' },
  {
    name: 'PORT',
    type: 'text',
    effect: 'UDP port of tailscaled’s WireGuard; 41641 by default if everything that is sent to the Pod is forwarded',
  },
  {
    name: 'TS_TAILSCALED_EXTRA_ARGS',
    type: 'words',
    effect: 'Additional arguments of tailscaled, split at white space; `--tun=NAME` names its device',
  },
  {
    name: 'TS_EXPERIMENTAL_ENABLE_FORWARDING_OPTIMIZATIONS',
    type: 'boolean',
    default: 'false',
    effect: 'Make tailscaled enable UDP GRO forwarding on the Pod’s network device, once; a failure is only logged',
  },
  {
    name: 'CULVERT_UDP_GSO',
    type: 'text',
    default: 'auto',
    effect:
      'Whether tailscaled hands the kernel several packets at once, by UDP segmentation offload: `on`, `off` (half as fast at worst), or `auto`: not on kernels on which that is known to lose packets. tailscaled obeys from 1.100 on',
  },
  {
    name: 'TS_DEBUG_FIREWALL_MODE',
    type: 'text',
    default: 'auto',
    effect: '`nftables`, `iptables` or `auto`: nftables if it works. Without forwarding, tailscaled reads it itself',
  },
] as const satisfies readonly Variable[]
