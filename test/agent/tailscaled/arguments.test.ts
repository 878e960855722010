import { describe, expect, it } from 'vitest'
import { type Environment, readSettings } from '../../../agent/settings/read.ts'
import { tailscaledArguments, upArguments } from '../../../agent/tailscaled/arguments.ts'

const tailscaled = (env: Environment) => tailscaledArguments(readSettings(env).settings).join(' ')
const up = (env: Environment) => {
  const { settings } = readSettings(env)
  return upArguments(settings.socket, settings.up).join(' ')
}

describe('the arguments of tailscaled', () => {
  it.each<[Environment, string]>([
    [{}, '--socket=/tmp/tailscaled.sock --state=mem: --statedir=/tmp --tun=userspace-networking'],
    [{ TS_USERSPACE: 'false' }, '--socket=/tmp/tailscaled.sock --state=mem: --statedir=/tmp'],
    [
      { TS_KUBE_SECRET: 'proxy-0' },
      '--socket=/tmp/tailscaled.sock --state=kube:proxy-0 --statedir=/tmp --tun=userspace-networking',
    ],
    [
      { TS_KUBE_SECRET: 'proxy-0', TS_STATE_DIR: '/s', TS_USERSPACE: 'false' },
      '--socket=/tmp/tailscaled.sock --state=kube:proxy-0 --statedir=/s',
    ],
    [{ TS_STATE_DIR: '/s', TS_SOCKET: '/x' }, '--socket=/x --statedir=/s --tun=userspace-networking'],
    [
      {
        TS_SOCKS5_SERVER: 'localhost:1080',
        TS_OUTBOUND_HTTP_PROXY_LISTEN: 'localhost:8080',
        TS_TAILSCALED_EXTRA_ARGS: '--verbose=1',
      },
      '--socket=/tmp/tailscaled.sock --state=mem: --statedir=/tmp --tun=userspace-networking --socks5-server=localhost:1080 ' +
        '--outbound-http-proxy-listen=localhost:8080 --verbose=1',
    ],
    [
      { TS_DEBUG_ADDR_PORT: '1.2.3.4:1' },
      '--socket=/tmp/tailscaled.sock --state=mem: --statedir=/tmp --tun=userspace-networking --debug=1.2.3.4:1',
    ],
    [
      { TS_DEBUG_ADDR_PORT: '1.2.3.4:1', TS_TAILSCALED_EXTRA_ARGS: '--debug=1.2.3.4:1' },
      '--socket=/tmp/tailscaled.sock --state=mem: --statedir=/tmp --tun=userspace-networking --debug=1.2.3.4:1',
    ],
  ])('of %j', (env, expected) => expect(tailscaled(env)).toBe(expected))
})

it('puts the config file before the debug address', () => {
  const { settings } = readSettings({ TS_DEBUG_ADDR_PORT: '1.2.3.4:1', TS_TAILSCALED_EXTRA_ARGS: '--verbose=1' })
  expect(tailscaledArguments(settings, '/c/cap-95.hujson').slice(-3)).toEqual([
    '--config=/c/cap-95.hujson',
    '--debug=1.2.3.4:1',
    '--verbose=1',
  ])
})

describe('the arguments of tailscale up', () => {
  it.each<[Environment, string]>([
    [{}, '--socket=/tmp/tailscaled.sock up --accept-dns=false'],
    [
      {
        TS_AUTHKEY: 'tskey-key',
        TS_HOSTNAME: 'h',
        TS_ACCEPT_DNS: 'true',
        TS_EXTRA_ARGS: '--login-server=http://c --ssh',
      },
      '--socket=/tmp/tailscaled.sock up --accept-dns=true --authkey=tskey-key --hostname=h --login-server=http://c --ssh',
    ],
    [{ TS_ROUTES: '' }, '--socket=/tmp/tailscaled.sock up --accept-dns=false --advertise-routes='],
    [
      { TS_ROUTES: '10.0.0.0/8', TS_HOSTNAME: 'h' },
      '--socket=/tmp/tailscaled.sock up --accept-dns=false --advertise-routes=10.0.0.0/8 --hostname=h',
    ],
    [
      { TS_CLIENT_ID: 'i', TS_ID_TOKEN: 't' },
      '--socket=/tmp/tailscaled.sock up --accept-dns=false --client-id=i --id-token=t',
    ],
  ])('of %j', (env, expected) => expect(up(env)).toBe(expected))
})
