import { describe, expect, it } from 'vitest'
import { type Environment, readSettings } from '../../../agent/settings/read.ts'
import { CulvertError } from '../../../lib/errors.ts'

const read = (env: Environment) => readSettings(env).settings
const kernel = { TS_USERSPACE: 'false' }
const configured = { TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR: '/etc/tsconfig/a' }
const pod = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT_HTTPS: '443' }

describe('defaults', () => {
  it('are those of the contract', () => {
    expect(read({})).toMatchObject({
      userspace: true,
      state: { kind: 'memory' },
      socket: '/tmp/tailscaled.sock',
      targets: [],
      bootTimeoutMs: 60_000,
      health: false,
      listen: { host: '::', port: 9002 },
      statusSocket: '/tmp/culvert.sock',
      terminationLog: '/dev/termination-log',
      up: { authKey: '', acceptDns: false, extraArgs: [] },
    })
  })

  it('hold for empty values and for booleans that are none', () => {
    expect(read({ TS_USERSPACE: '', TS_SOCKET: '', TS_BOOT_TIMEOUT: '', TS_ENABLE_HEALTH_CHECK: 'yes' })).toEqual(
      read({}),
    )
    expect(read({ TS_USERSPACE: 'nope' }).userspace).toBe(true)
  })
})

describe('values', () => {
  it.each<[string, Environment, object]>([
    ['either name of the auth key', { TS_AUTH_KEY: 'b' }, { up: { authKey: 'b' } }],
    ['the newer name first', { TS_AUTHKEY: 'a', TS_AUTH_KEY: 'b' }, { up: { authKey: 'a' } }],
    ['state on disk', { TS_STATE_DIR: '/state' }, { state: { kind: 'disk', directory: '/state' } }],
    ['words', { TS_TAILSCALED_EXTRA_ARGS: ' --a  --b=c\t' }, { tailscaledExtraArgs: ['--a', '--b=c'] }],
    ['one target', { ...kernel, TS_DEST_IP: '10.0.0.1' }, { targets: [{ family: 4, text: '10.0.0.1' }] }],
    [
      'one target of each family',
      { ...kernel, TS_DEST_IP: 'fd00::1, 10.0.0.1' },
      {
        targets: [
          { family: 6, text: 'fd00::1' },
          { family: 4, text: '10.0.0.1' },
        ],
      },
    ],
    ['a duration', { TS_BOOT_TIMEOUT: '1m30s' }, { bootTimeoutMs: 90_000 }],
    ['Pod addresses', { POD_IPS: '10.0.0.1,fd00::1' }, { pod: { ipv4: '10.0.0.1', ipv6: 'fd00::1' } }],
    [
      'an unbracketed Pod address as listener',
      { POD_IPS: 'fd00::1', TS_LOCAL_ADDR_PORT: 'fd00::1:9002', TS_ENABLE_HEALTH_CHECK: 'true' },
      { listen: { host: 'fd00::1', port: 9002 } },
    ],
    ['a listener that nobody needs', { TS_LOCAL_ADDR_PORT: ':9002' }, { listen: { host: '::' } }],
    [
      'a test root',
      { TS_TEST_ONLY_ROOT: '/r' },
      { root: '/r', statusSocket: '/r/tmp/culvert.sock', terminationLog: '/r/dev/termination-log' },
    ],
    ['auth once', { TS_AUTH_ONCE: 'true' }, { authOnce: true }],
    [
      'a fake netfilter',
      { TS_TEST_ONLY_ROOT: '/r', TS_TEST_FAKE_NETFILTER: 'true' },
      { fakeNetfilter: { ipv6: true } },
    ],
    [
      'a fake netfilter without IPv6',
      { TS_TEST_ONLY_ROOT: '/r', TS_TEST_FAKE_NETFILTER: 'true', TS_TEST_FAKE_NETFILTER_6: '0' },
      { fakeNetfilter: { ipv6: false } },
    ],
    ['a firewall that nobody needs', { TS_DEBUG_FIREWALL_MODE: 'iptables' }, { firewallMode: 'auto' }],
    [
      'iptables',
      { ...kernel, TS_DEST_IP: '10.0.0.1', TS_DEBUG_FIREWALL_MODE: 'iptables' },
      { firewallMode: 'iptables' },
    ],
    ['Kubernetes without a Secret', { ...pod, TS_KUBE_SECRET: '' }, { inKubernetes: true, state: { kind: 'memory' } }],
    [
      'Kubernetes with a directory instead',
      { ...pod, TS_KUBE_SECRET: '', TS_STATE_DIR: '/s' },
      { state: { kind: 'disk', directory: '/s' } },
    ],
    ['Kubernetes by default', pod, { state: { kind: 'secret', name: 'tailscale', directory: '/tmp' } }],
    [
      'a Secret and a directory',
      { ...pod, TS_KUBE_SECRET: 'proxy-0', TS_STATE_DIR: '/s' },
      { state: { kind: 'secret', name: 'proxy-0', directory: '/s' } },
    ],
    [
      'a Secret outside of a Pod',
      { TS_KUBE_SECRET: 'proxy-0' },
      { inKubernetes: false, state: { kind: 'secret', name: 'proxy-0' } },
    ],
    ['the API by its name', pod, { cluster: { host: '10.96.0.1', port: '443', addressFromEnv: false } }],
    [
      'the API by its address',
      { ...pod, TS_KUBERNETES_READ_API_SERVER_ADDRESS_FROM_ENV: 'true' },
      { cluster: { addressFromEnv: true } },
    ],
    [
      'another spelling of true',
      { ...pod, TS_KUBERNETES_READ_API_SERVER_ADDRESS_FROM_ENV: 'True' },
      { cluster: { addressFromEnv: false } },
    ],
    ['the Pod’s UID', { POD_UID: 'u-1' }, { pod: { uid: 'u-1' } }],
    ['a config directory', configured, { configDirectory: '/etc/tsconfig/a' }],
    [
      'a config directory beside a bad boolean',
      { ...configured, TS_ACCEPT_DNS: 'maybe' },
      { up: { acceptDns: false } },
    ],
    ['routes in userspace', { TS_ROUTES: 'fd00::/8' }, { up: { routes: 'fd00::/8' }, forwardedFamilies: [] }],
    ['no routes', { TS_ROUTES: '' }, { up: { routes: '' } }],
    ['nothing of routes', {}, { up: { routes: undefined } }],
    ['IPv4 routes', { ...kernel, TS_ROUTES: '10.0.0.0/8' }, { forwardedFamilies: [4] }],
    ['routes of both families', { ...kernel, TS_ROUTES: 'fd00::/8,10.0.0.0/8' }, { forwardedFamilies: [4, 6] }],
    [
      'routes and a target',
      { ...kernel, TS_ROUTES: 'fd00::/8', TS_DEST_IP: '10.0.0.1' },
      { forwardedFamilies: [4, 6] },
    ],
  ])('%s', (_name, env, expected) => {
    expect(read(env)).toMatchObject(expected)
  })
})

describe('refusals name the variable, its value and what is accepted', () => {
  it.each<[string, Environment, RegExp]>([
    [
      'no address',
      { ...kernel, TS_DEST_IP: '10.0.0' },
      /TS_DEST_IP="10\.0\.0".*"10\.0\.0" is no IP address.*is accepted/,
    ],
    [
      'two v4 targets',
      { ...kernel, TS_DEST_IP: '10.0.0.1,10.0.0.2' },
      /TS_DEST_IP="10\.0\.0\.1,10\.0\.0\.2".*two IPv4 addresses.*is accepted/,
    ],
    ['two v6 targets', { ...kernel, TS_DEST_IP: 'fd00::1,fd00::2' }, /two IPv6 addresses/],
    ['a mapped twin', { ...kernel, TS_DEST_IP: '::ffff:10.0.0.1,10.0.0.2' }, /two IPv4 addresses/],
    ['an empty part', { ...kernel, TS_DEST_IP: '10.0.0.1,' }, /"" is no IP address/],
    ['no unit', { TS_BOOT_TIMEOUT: '5' }, /TS_BOOT_TIMEOUT="5".*unit such as 60s/],
    ['a negative time', { TS_BOOT_TIMEOUT: '-5s' }, /TS_BOOT_TIMEOUT="-5s"/],
    [
      'userspace by name',
      { TS_USERSPACE: 'true', TS_DEST_IP: '10.0.0.1' },
      /TS_DEST_IP=10\.0\.0\.1.*TS_USERSPACE=true.*TS_USERSPACE=false/,
    ],
    ['userspace by default', { TS_DEST_IP: '10.0.0.1' }, /TS_USERSPACE=true \(the default\)/],
    ['a token alone', { TS_ID_TOKEN: 'x' }, /need TS_CLIENT_ID/],
    ['two credentials', { TS_CLIENT_ID: 'a', TS_CLIENT_SECRET: 'b', TS_AUDIENCE: 'c' }, /exclude each other/],
    ['key and OAuth', { TS_AUTHKEY: 'a', TS_CLIENT_ID: 'b' }, /TS_AUTHKEY excludes/],
    [
      'a listener without address',
      { TS_LOCAL_ADDR_PORT: ':9002', TS_ENABLE_HEALTH_CHECK: '1' },
      /TS_LOCAL_ADDR_PORT=":9002".*\[::\]:9002/,
    ],
    ['a debug listener by name', { TS_DEBUG_ADDR_PORT: 'localhost:1' }, /TS_DEBUG_ADDR_PORT="localhost:1"/],
    ['empty Pod addresses', { POD_IPS: '' }, /POD_IPS=""/],
    ['three Pod addresses', { POD_IPS: '1.1.1.1,2.2.2.2,3.3.3.3' }, /POD_IPS/],
    [
      'another firewall',
      { ...kernel, TS_DEST_IP: '10.0.0.1', TS_DEBUG_FIREWALL_MODE: 'pf' },
      /TS_DEBUG_FIREWALL_MODE="pf".*nftables and iptables are accepted/,
    ],
    ['a fake netfilter without a test', { TS_TEST_FAKE_NETFILTER: 'true' }, /needs TS_TEST_ONLY_ROOT/],
    ['a route that is none', { ...kernel, TS_ROUTES: '10.0.0.0/8, fd00::/8' }, /TS_ROUTES=.*" fd00::\/8" is no route/],
    ['a route that is too long', { ...kernel, TS_ROUTES: '10.0.0.0/33' }, /TS_ROUTES=.*is no route/],
    [
      'a config directory and a key',
      { ...configured, TS_AUTHKEY: 'k' },
      /cannot be combined with TS_AUTHKEY: unset it/,
    ],
    ['a config directory and the older key', { ...configured, TS_AUTH_KEY: 'k' }, /with TS_AUTH_KEY/],
    ['a config directory and DNS', { ...configured, TS_ACCEPT_DNS: 'false' }, /with TS_ACCEPT_DNS/],
    ['a config directory and withdrawn routes', { ...configured, TS_ROUTES: '' }, /with TS_ROUTES/],
    [
      'a config directory and several',
      { ...configured, TS_HOSTNAME: 'h', TS_EXTRA_ARGS: '--ssh', TS_CLIENT_ID: 'i' },
      /with TS_EXTRA_ARGS, TS_HOSTNAME, TS_CLIENT_ID: unset them/,
    ],
    ['a mode that is not built', { TS_SERVE_CONFIG: '/x' }, /TS_SERVE_CONFIG is set/],
  ])('%s', (_name, env, message) => {
    expect(() => readSettings(env)).toThrow(CulvertError)
    expect(() => readSettings(env)).toThrow(message)
  })

  it('never shows a secret', () => {
    const env = { TS_AUTHKEY: 'tskey-hidden', TS_CLIENT_SECRET: 'hidden-too', TS_CLIENT_ID: 'id' }
    expect(() => readSettings(env)).toThrow(/^(?!.*hidden)/s)
  })

  it('does not refuse a mode that is switched off', () => {
    expect(() => readSettings({ TS_EXPERIMENTAL_CERT_SHARE: 'false', TS_SERVE_CONFIG: '' })).not.toThrow()
  })
})

describe('--accept-dns within TS_EXTRA_ARGS', () => {
  it.each([
    ['--accept-dns', 'false', true, []],
    ['--accept-dns=false --ssh', 'true', false, ['--ssh']],
    ['--accept-dns=true', '', true, []],
    ['--accept-dns=maybe', 'true', true, ['--accept-dns=maybe']],
    ['-accept-dns=true', 'false', false, ['-accept-dns=true']],
    ['--accept-routes', 'true', true, ['--accept-routes']],
    ['--accept-dns=false --accept-dns=true', '', false, ['--accept-dns=true']],
  ])('%s with TS_ACCEPT_DNS=%s', (extra, variable, acceptDns, extraArgs) => {
    expect(read({ TS_EXTRA_ARGS: extra, TS_ACCEPT_DNS: variable }).up).toMatchObject({ acceptDns, extraArgs })
  })

  it('warns of a bad boolean', () => {
    expect(readSettings({ TS_EXTRA_ARGS: '--accept-dns=maybe' }).warnings).toHaveLength(1)
  })
})
