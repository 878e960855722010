import { nearest } from '../../lib/nearest.ts'
import type { Environment } from './env-reader.ts'
import { variables } from './variables.ts'

/** Names that people use and nothing reads, with what to write instead. */
export const instead: Readonly<Record<string, string>> = {
  TS_AUTHKEY_FILE: 'TS_AUTHKEY=file:PATH',
  TS_AUTH_KEY_FILE: 'TS_AUTHKEY=file:PATH',
  AUTH_KEY: 'TS_AUTHKEY',
  AUTHKEY: 'TS_AUTHKEY',
  TAILSCALE_AUTHKEY: 'TS_AUTHKEY',
  TAILSCALE_AUTH_KEY: 'TS_AUTHKEY',
  TS_KEY: 'TS_AUTHKEY',
  TS_OAUTH_SECRET: 'TS_CLIENT_SECRET',
  TS_OAUTH_CLIENT_SECRET: 'TS_CLIENT_SECRET',
  TS_OAUTH_CLIENT_ID: 'TS_CLIENT_ID',
  TAILSCALE_HOSTNAME: 'TS_HOSTNAME',
  TS_NAME: 'TS_HOSTNAME',
  TS_NODE_NAME: 'TS_HOSTNAME',
  TAILSCALE_STATE_DIR: 'TS_STATE_DIR',
  TS_STATEDIR: 'TS_STATE_DIR',
  TS_ADVERTISE_ROUTES: 'TS_ROUTES',
  TS_SUBNET_ROUTES: 'TS_ROUTES',
  TS_DEST_PORT: 'CULVERT_DEST_PORTS',
  TS_DEST_PORTS: 'CULVERT_DEST_PORTS',
  TS_DNS: 'TS_ACCEPT_DNS',
  TS_USER_SPACE: 'TS_USERSPACE',
  TS_USERSPACE_NETWORKING: 'TS_USERSPACE',
  TS_SOCKS5: 'TS_SOCKS5_SERVER',
  TS_SOCKS5_PROXY: 'TS_SOCKS5_SERVER',
  TS_HTTP_PROXY: 'TS_OUTBOUND_HTTP_PROXY_LISTEN',
  TS_SERVE: 'TS_SERVE_CONFIG',
  TS_SERVE_CONFIG_FILE: 'TS_SERVE_CONFIG',
  TS_ARGS: 'TS_EXTRA_ARGS',
  TS_UP_ARGS: 'TS_EXTRA_ARGS',
  TS_UP_EXTRA_ARGS: 'TS_EXTRA_ARGS',
  TAILSCALE_EXTRA_ARGS: 'TS_EXTRA_ARGS',
  TAILSCALE_UP_ARGS: 'TS_EXTRA_ARGS',
  TS_ACCEPT_ROUTES: 'TS_EXTRA_ARGS=--accept-routes',
  TS_LOGIN_SERVER: 'TS_EXTRA_ARGS=--login-server=URL',
  TS_CONTROL_URL: 'TS_EXTRA_ARGS=--login-server=URL',
  TS_TAG: 'TS_EXTRA_ARGS=--advertise-tags=tag:NAME',
  TS_TAGS: 'TS_EXTRA_ARGS=--advertise-tags=tag:NAME',
  TS_ADVERTISE_TAGS: 'TS_EXTRA_ARGS=--advertise-tags=tag:NAME',
  TS_FORCE_REAUTH: 'TS_EXTRA_ARGS=--force-reauth',
  TS_EXIT_NODE: 'TS_EXTRA_ARGS=--exit-node=ADDRESS',
  TS_ADVERTISE_EXIT_NODE: 'TS_EXTRA_ARGS=--advertise-exit-node',
  TS_EXIT_NODE_ALLOW_LAN_ACCESS: 'TS_EXTRA_ARGS=--exit-node-allow-lan-access',
  TS_SSH: 'TS_EXTRA_ARGS=--ssh',
  TS_EPHEMERAL: 'an ephemeral auth key, or leave TS_STATE_DIR unset',
  TS_FUNNEL: 'TS_SERVE_CONFIG',
  TS_SERVE_PORT: 'TS_SERVE_CONFIG',
  TS_PORT: 'TS_TAILSCALED_EXTRA_ARGS=--port=NUMBER',
  TS_VERBOSE: 'TS_TAILSCALED_EXTRA_ARGS=--verbose=NUMBER',
  TS_SOCKS5_PORT: 'TS_SOCKS5_SERVER=:NUMBER',
  USERSPACE: 'TS_USERSPACE',
  ROUTES: 'TS_ROUTES',
  DEST_IP: 'TS_DEST_IP',
  KUBE_SECRET: 'TS_KUBE_SECRET',
}

/** A name that differs from a known one by at most this many letters counts as a misspelling of it. */
const near = 2

/**
 * Warnings about variables that look like settings but are not read, each with what to write instead. Names that
 * tailscaled reads itself, such as TS_DEBUG_…, are skipped, and so are those from which another variable may be built,
 * as in TS_AUTHKEY=$(AUTHKEY).
 */
export function strayNames(environment: Environment): string[] {
  const known = new Set<string>(variables.map(({ name }) => name))
  return Object.entries(environment).flatMap(([name, value = '']) => {
    if (known.has(name) || value === '' || isServiceLink(name, value)) return []
    const write = Object.hasOwn(instead, name) ? instead[name] : misspelt(name)
    if (write === undefined || isWritten(write, environment)) return []
    return [`${name} is set, but nothing reads it: use ${write}`]
  })
}

/** Whether Kubernetes or a link of Docker sets it for a Service with this name: TS_PORT=tcp://10.0.0.9:80 for `ts`. */
const isServiceLink = (name: string, value: string): boolean =>
  name.endsWith('_PORT') && /^(?:tcp|udp|sctp):\/\//.test(value)

/** Whether the variable to write is already set, and contains the flag if there is one. */
function isWritten(write: string, environment: Environment): boolean {
  const [, name = '', flag = ''] = /^([A-Z\d_]+)(?:=(--[a-z\d-]+))?/.exec(write) ?? []
  const value = environment[name] ?? ''
  return value !== '' && value.includes(flag)
}

function misspelt(name: string): string | undefined {
  if (!name.startsWith('TS_') || /^TS_(?:DEBUG|NO_LOGS|TEST)/.test(name)) return undefined
  const long = variables.map((one) => one.name).filter((one) => one.length > 8)
  return nearest(name, long, near)
}
