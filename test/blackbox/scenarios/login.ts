import { inState, running } from '../localapi.ts'
import { inMemory, onDisk, type Scenarios, set, tailscaled, up, userspace, withKey } from './common.ts'

/** How tailscaled is started and the node logged in, with `tailscale` and without Kubernetes. */
export const login: Scenarios = {
  no_args: {
    phases: [{ runs: [tailscaled(inMemory, userspace), up('--accept-dns=false')] }, { send: running() }],
  },
  authkey: {
    env: withKey,
    phases: [
      { runs: [tailscaled(inMemory, userspace), up('--accept-dns=false', '--authkey=tskey-key')] },
      { send: running() },
    ],
  },
  authkey_old_flag: {
    env: { TS_AUTH_KEY: 'tskey-key' },
    phases: [
      { runs: [tailscaled(inMemory, userspace), up('--accept-dns=false', '--authkey=tskey-key')] },
      { send: running() },
    ],
  },
  authkey_disk_state: {
    env: { ...withKey, TS_STATE_DIR: '{root}/tmp' },
    phases: [
      { runs: [tailscaled(onDisk, userspace), up('--accept-dns=false', '--authkey=tskey-key')] },
      { send: running() },
    ],
  },
  authkey_once: {
    env: { ...withKey, TS_AUTH_ONCE: 'true' },
    phases: [
      { runs: [tailscaled(inMemory, userspace)] },
      { send: inState('NeedsLogin'), runs: [up('--accept-dns=false', '--authkey=tskey-key')] },
      { send: running(), runs: [set('--accept-dns=false')] },
    ],
  },
  auth_key_once_extra_args_override_dns: {
    env: { ...withKey, TS_AUTH_ONCE: 'true', TS_ACCEPT_DNS: 'false', TS_EXTRA_ARGS: '--accept-dns' },
    phases: [
      { runs: [tailscaled(inMemory, userspace)] },
      { send: inState('NeedsLogin'), runs: [up('--accept-dns=true', '--authkey=tskey-key')] },
      { send: running(), runs: [set('--accept-dns=true')] },
    ],
  },
  proxies: {
    env: { TS_SOCKS5_SERVER: 'localhost:1080', TS_OUTBOUND_HTTP_PROXY_LISTEN: 'localhost:8080' },
    phases: [
      {
        runs: [
          tailscaled(
            inMemory,
            userspace,
            '--socks5-server=localhost:1080',
            '--outbound-http-proxy-listen=localhost:8080',
          ),
          up('--accept-dns=false'),
        ],
      },
      { send: running() },
    ],
  },
  dns: {
    env: { TS_ACCEPT_DNS: 'true' },
    phases: [{ runs: [tailscaled(inMemory, userspace), up('--accept-dns=true')] }, { send: running() }],
  },
  extra_args: {
    env: { TS_EXTRA_ARGS: '--widget=rotated', TS_TAILSCALED_EXTRA_ARGS: '--experiments=widgets' },
    phases: [
      {
        runs: [tailscaled(inMemory, userspace, '--experiments=widgets'), up('--accept-dns=false', '--widget=rotated')],
      },
      { send: running() },
    ],
  },
  extra_args_accept_routes: {
    env: { TS_EXTRA_ARGS: '--accept-routes' },
    phases: [
      { runs: [tailscaled(inMemory, userspace), up('--accept-dns=false', '--accept-routes')] },
      { send: running() },
    ],
  },
  extra_args_accept_dns: {
    env: { TS_EXTRA_ARGS: '--accept-dns' },
    phases: [{ runs: [tailscaled(inMemory, userspace), up('--accept-dns=true')] }, { send: running() }],
  },
  extra_args_accept_dns_overrides_env_var: {
    env: { TS_ACCEPT_DNS: 'true', TS_EXTRA_ARGS: '--accept-dns=false' },
    phases: [{ runs: [tailscaled(inMemory, userspace), up('--accept-dns=false')] }, { send: running() }],
  },
  'tailscaled is found by programs that do not read TS_SOCKET': {
    phases: [
      { runs: [tailscaled(inMemory, userspace), up('--accept-dns=false')] },
      { send: running(), files: { 'var/run/tailscale/tailscaled.sock': '/tmp/tailscaled.sock' } },
    ],
  },
  hostname: {
    env: { TS_HOSTNAME: 'my-server' },
    phases: [
      { runs: [tailscaled(inMemory, userspace), up('--accept-dns=false', '--hostname=my-server')] },
      { send: running() },
    ],
  },
}
