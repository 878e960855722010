const takers = ['tailscaled', 'tailscale up', 'tailscale set'] as const

/** A command that takes flags. */
type Taker = (typeof takers)[number]

/** Flags that only one of these commands has (tailscale 1.102) and that users mix up. */
const flags: Readonly<Record<Taker, readonly string[]>> = {
  tailscaled: [
    'config',
    'debug',
    'encrypt-state',
    'hardware-attestation',
    'no-logs-no-support',
    'outbound-http-proxy-listen',
    'port',
    'socket',
    'socks5-server',
    'state',
    'statedir',
    'tun',
    'verbose',
  ],
  'tailscale up': [
    'accept-dns',
    'accept-risk',
    'accept-routes',
    'advertise-connector',
    'advertise-exit-node',
    'advertise-routes',
    'advertise-tags',
    'auth-key',
    'authkey',
    'exit-node',
    'exit-node-allow-lan-access',
    'force-reauth',
    'hostname',
    'login-server',
    'netfilter-mode',
    'operator',
    'reset',
    'shields-up',
    'snat-subnet-routes',
    'ssh',
    'stateful-filtering',
  ],
  'tailscale set': ['auto-update', 'nickname', 'relay-server-port', 'update-check', 'webclient'],
}

/** The command that has this flag; undefined if none is known. */
export const whoseFlag = (name: string): Taker | undefined => takers.find((taker) => flags[taker].includes(name))
