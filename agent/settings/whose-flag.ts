const takers = ['tailscaled', 'tailscale up', 'tailscale set'] as const

/** A command that takes flags. */
type Taker = (typeof takers)[number]

/** Flags that only one of them has (tailscale 1.102), of which users write some for another. */
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

/** The name of a flag, without its value. */
export const flagName = (word: string): string => word.replace(/^--?/, '').replace(/=.*/s, '')

/** Which command takes this flag; undefined if none, or if that is not known. */
export const whoseFlag = (name: string): Taker | undefined => takers.find((taker) => flags[taker].includes(name))
