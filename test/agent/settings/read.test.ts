import { describe, expect, it } from 'vitest'
import { type Environment, readSettings, terminationLogPath } from '../../../agent/settings/read.ts'
import { variables } from '../../../agent/settings/variables.ts'
import { CulvertError } from '../../../lib/errors.ts'

const read = (env: Environment) => readSettings(env).settings
const kernel = { TS_USERSPACE: 'false' }
const configured = { TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR: '/etc/tsconfig/a' }
const pod = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT_HTTPS: '443' }

describe('defaults', () => {
  it('are as documented', () => {
    expect(read({})).toMatchObject({
      userspace: true,
      state: { kind: 'memory' },
      socket: '/tmp/tailscaled.sock',
      targets: [],
      bootTimeoutMs: 60_000,
      authOnce: false,
      endpoints: { health: false, metrics: false, listen: undefined, healthListen: undefined },
      debugAddress: '',
      forwardingOptimizations: false,
      udpGso: 'auto',
      firewallMode: 'auto',
      fakeNetfilter: undefined,
      statusSocket: '/tmp/culvert.sock',
      up: { authKey: '', acceptDns: false, extraArgs: [] },
    })
  })

  it('are used for empty values', () => {
    const empty = variables.filter((variable) => !('presence' in variable)).map(({ name }) => [name, ''])
    expect(readSettings(Object.fromEntries(empty))).toEqual({
      settings: read({}),
      warnings: [expect.stringMatching(/^POD_IPS is empty: .*\/healthz$/)],
    })
  })

  it('are used for malformed booleans', () => {
    expect(read({ TS_USERSPACE: 'nope', TS_ENABLE_HEALTH_CHECK: 'yes' })).toEqual(read({}))
  })
})

describe('values', () => {
  it.each<[string, Environment, object]>([
    ['either name of the auth key', { TS_AUTH_KEY: 'b' }, { up: { authKey: 'b' } }],
    ['the newer name of the auth key first', { TS_AUTHKEY: 'a', TS_AUTH_KEY: 'b' }, { up: { authKey: 'a' } }],
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
    ['the last Pod address of a family', { POD_IPS: '10.0.0.1,10.0.0.2' }, { pod: { ipv4: '10.0.0.2', ipv6: '' } }],
    ['a listener that is not needed', { TS_LOCAL_ADDR_PORT: ':9002' }, { endpoints: { listen: undefined } }],
    [
      'one listener for health and metrics',
      { TS_ENABLE_HEALTH_CHECK: 'true', TS_ENABLE_METRICS: 'true', TS_LOCAL_ADDR_PORT: '10.0.0.1:80' },
      { endpoints: { health: true, metrics: true, listen: { host: '10.0.0.1', port: 80 }, healthListen: undefined } },
    ],
    [
      'a listener each',
      { TS_HEALTHCHECK_ADDR_PORT: '[::1]:81', TS_ENABLE_METRICS: 'true' },
      { endpoints: { health: false, metrics: true, listen: { port: 9002 }, healthListen: { host: '::1', port: 81 } } },
    ],
    ['the older listener alone', { TS_HEALTHCHECK_ADDR_PORT: '[::1]:81' }, { endpoints: { listen: undefined } }],
    [
      'optimizations',
      { ...kernel, TS_EXPERIMENTAL_ENABLE_FORWARDING_OPTIMIZATIONS: 'true' },
      { forwardingOptimizations: true },
    ],
    ['auth once beside a config directory', { ...configured, TS_AUTH_ONCE: 'true' }, { authOnce: false }],
    [
      'the debug server of a Pod of IPv6',
      { POD_IP: 'fd00::1', TS_DEBUG_ADDR_PORT: 'fd00::1:1', TS_TAILSCALED_EXTRA_ARGS: '--debug=fd00::1:1 --verbose=1' },
      { debugAddress: '[fd00::1]:1', tailscaledExtraArgs: ['--debug=[fd00::1]:1', '--verbose=1'] },
    ],
    ['a test root', { TS_TEST_ONLY_ROOT: '/r' }, { root: '/r', statusSocket: '/r/tmp/culvert.sock' }],
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
    ['a firewall mode that is not needed', { TS_DEBUG_FIREWALL_MODE: 'iptables' }, { firewallMode: 'auto' }],
    [
      'iptables',
      { ...kernel, TS_DEST_IP: '10.0.0.1', TS_DEBUG_FIREWALL_MODE: 'iptables' },
      { firewallMode: 'iptables' },
    ],
    [
      'an unknown firewall',
      { ...kernel, TS_DEST_IP: '10.0.0.1', TS_DEBUG_FIREWALL_MODE: 'nft' },
      { firewallMode: 'auto' },
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
    ['nothing to serve', {}, { serveConfigFile: undefined, certShare: undefined, sharesAcmeAccount: false }],
    [
      'a serve config',
      { TS_SERVE_CONFIG: '/etc/serve.json', TS_ACME_ACCOUNT_FIELD: 'f' },
      { serveConfigFile: '/etc/serve.json', advertisesServices: true, sharesAcmeAccount: true },
    ],
    [
      'Services that operators advertise',
      { TS_EXPERIMENTAL_SERVICE_AUTO_ADVERTISEMENT: 'false' },
      { advertisesServices: false },
    ],
    ['a config directory', configured, { configDirectory: '/etc/tsconfig/a' }],
    [
      'a config directory beside a bad boolean',
      { ...configured, TS_ACCEPT_DNS: 'maybe' },
      { up: { acceptDns: false } },
    ],
    ['routes in userspace', { TS_ROUTES: 'fd00::/8' }, { up: { routes: 'fd00::/8' }, forwardedFamilies: [] }],
    ['no routes', { TS_ROUTES: '' }, { up: { routes: '' } }],
    ['no routes', {}, { up: { routes: undefined } }],
    ['IPv4 routes', { ...kernel, TS_ROUTES: '10.0.0.0/8' }, { forwardedFamilies: [4] }],
    ['routes of both families', { ...kernel, TS_ROUTES: 'fd00::/8,10.0.0.0/8' }, { forwardedFamilies: [4, 6] }],
    [
      'an exit node',
      { ...kernel, TS_EXTRA_ARGS: '--ssh --advertise-exit-node' },
      { forwardedFamilies: [], advertisedFamilies: [4, 6] },
    ],
    ['no exit node', { ...kernel, TS_EXTRA_ARGS: '--advertise-exit-node=false' }, { advertisedFamilies: [] }],
    ['an exit node in userspace', { TS_EXTRA_ARGS: '--advertise-exit-node' }, { advertisedFamilies: [] }],
    [
      'routes among the arguments',
      { ...kernel, TS_EXTRA_ARGS: '--advertise-routes=fd00::/8,fd01::/16' },
      { advertisedFamilies: [6] },
    ],
    [
      'routes after a space',
      { ...kernel, TS_EXTRA_ARGS: '-advertise-routes fd00::/8 --ssh' },
      { advertisedFamilies: [6] },
    ],
    [
      'routes and a target',
      { ...kernel, TS_ROUTES: 'fd00::/8', TS_DEST_IP: '10.0.0.1' },
      { forwardedFamilies: [4, 6] },
    ],
  ])('%s', (_name, env, expected) => {
    expect(read(env)).toMatchObject(expected)
  })
})

it('warns of a listener on which nothing is served', () => {
  const asked = { TS_LOCAL_ADDR_PORT: '[::]:9002' }
  expect(readSettings(asked).warnings).toEqual([expect.stringMatching(/^TS_LOCAL_ADDR_PORT is set, but nothing/)])
  expect(readSettings({ ...asked, TS_ENABLE_METRICS: 'true' }).warnings).toEqual([])
})

describe('errors name the variable, its value and what is accepted', () => {
  it.each<[string, Environment, RegExp]>([
    [
      'not an address',
      { ...kernel, TS_DEST_IP: '10.0.0' },
      /TS_DEST_IP="10\.0\.0".*"10\.0\.0" is no IP address.*are accepted/,
    ],
    ['an empty part', { ...kernel, TS_DEST_IP: '10.0.0.1,' }, /"" is no IP address/],
    ['a negative time', { TS_BOOT_TIMEOUT: '-5s' }, /TS_BOOT_TIMEOUT="-5s"/],
    [
      'userspace by name',
      { TS_USERSPACE: 'true', TS_DEST_IP: '10.0.0.1' },
      /TS_DEST_IP=10\.0\.0\.1.*TS_USERSPACE=true.*TS_USERSPACE=false/,
    ],
    ['userspace by default', { TS_DEST_IP: '10.0.0.1' }, /TS_USERSPACE=true \(the default\)/],
    ['a long value, which is shortened', { POD_IPS: '1'.repeat(100_000) }, /^POD_IPS="1{200}"… is not/],
    ['three Pod addresses', { POD_IPS: '1.1.1.1,2.2.2.2,3.3.3.3' }, /POD_IPS/],
    ['a malformed route', { ...kernel, TS_ROUTES: '10.0.0.0/8, fd00::/8' }, /TS_ROUTES=.*" fd00::\/8" is no route/],
    ['a route with too long a prefix', { ...kernel, TS_ROUTES: '10.0.0.0/33' }, /TS_ROUTES=.*is no route/],
    [
      'a config directory and an auth key',
      { ...configured, TS_AUTHKEY: 'k' },
      /cannot be combined with TS_AUTHKEY: unset it/,
    ],
    ['a config directory and the older name of the key', { ...configured, TS_AUTH_KEY: 'k' }, /with TS_AUTH_KEY/],
    ['a config directory and DNS', { ...configured, TS_ACCEPT_DNS: 'false' }, /with TS_ACCEPT_DNS/],
    ['a config directory and withdrawn routes', { ...configured, TS_ROUTES: '' }, /with TS_ROUTES/],
    [
      'a config directory and several of these',
      { ...configured, TS_HOSTNAME: 'h', TS_EXTRA_ARGS: '--ssh', TS_CLIENT_ID: 'i' },
      /with TS_EXTRA_ARGS, TS_HOSTNAME, TS_CLIENT_ID: unset them/,
    ],
  ])('%s', (_name, env, message) => {
    expect(() => readSettings(env)).toThrow(CulvertError)
    expect(() => readSettings(env)).toThrow(message)
  })

  it('never contain a secret', () => {
    const env = { TS_AUTHKEY: 'tskey-hidden', TS_CLIENT_SECRET: 'hidden-too', TS_CLIENT_ID: 'id' }
    expect(() => readSettings(env)).toThrow(/^(?!.*hidden)/s)
  })
})

it.each([
  [{}, '/dev/termination-log'],
  [{ TS_TEST_ONLY_ROOT: '/r' }, '/r/dev/termination-log'],
  [{ TS_TEST_ONLY_ROOT: '/r', CULVERT_TERMINATION_LOG: '/tmp/log' }, '/tmp/log'],
])('the path of the termination log: %j', (env, path) => {
  expect(terminationLogPath(env)).toBe(path)
})
