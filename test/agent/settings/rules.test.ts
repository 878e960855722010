import { describe, expect, it } from 'vitest'
import { type Environment, readSettings } from '../../../agent/settings/read.ts'
import { envReader } from '../../../agent/settings/env-reader.ts'
import { rules } from '../../../agent/settings/rules.ts'
import { CulvertError } from '../../../lib/errors.ts'

const kernel = { TS_USERSPACE: 'false' }
const userspace = { TS_USERSPACE: 'true' }
const configured = { TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR: '/etc/tsconfig/a' }
const viaIngress = { EXPERIMENTAL_ALLOW_PROXYING_CLUSTER_TRAFFIC_VIA_INGRESS: 'true' }
const notViaIngress = { EXPERIMENTAL_ALLOW_PROXYING_CLUSTER_TRAFFIC_VIA_INGRESS: '' }
const metrics = { TS_ENABLE_METRICS: 'true' }
const pod = { KUBERNETES_SERVICE_HOST: '10.96.0.1' }

type Failure = readonly [env: Environment, message: RegExp, badConfig?: CulvertError]

/**
 * An environment that breaks each rule, in the order of the rules. Each must also break its rule when merged over any
 * later one, so it unsets what would interfere.
 */
const failures: readonly Failure[] = [
  [{ POD_IPS: '10.0.0' }, /^POD_IPS="10\.0\.0" is not valid/],
  [{}, /^bad config$/, new CulvertError('settings', 'bad config')],
  [
    { ...userspace, TS_DEST_IP: '10.0.0.1', CULVERT_DEST_PORTS: '' },
    /^TS_DEST_IP=10\.0\.0\.1 is not supported with TS_USERSPACE=true: set TS_USERSPACE=false, or set CULVERT_DEST_PORTS/,
  ],
  [
    { ...kernel, TS_DEST_IP: '10.0.0.1', TS_EXPERIMENTAL_DEST_DNS_NAME: 'a.test' },
    /^TS_DEST_IP and TS_EXPERIMENTAL_DEST_DNS_NAME exclude each other/,
  ],
  [
    { ...kernel, TS_TAILNET_TARGET_IP: '100.64.0.1', TS_TAILNET_TARGET_FQDN: 'a.ts.net' },
    /^TS_TAILNET_TARGET_IP and TS_TAILNET_TARGET_FQDN exclude each other/,
  ],
  [{ ...configured, TS_HOSTNAME: 'h' }, /^TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR cannot be combined with .*TS_HOSTNAME/],
  [
    { CULVERT_CONFIG_SECRET: 'a', TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR: '' },
    /^CULVERT_CONFIG_SECRET needs TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR/,
  ],
  [{ TS_CLIENT_ID: '', TS_ID_TOKEN: 't' }, /^TS_ID_TOKEN needs TS_CLIENT_ID/],
  [
    { TS_CLIENT_ID: 'i', TS_ID_TOKEN: 't', TS_CLIENT_SECRET: 's' },
    /^TS_ID_TOKEN and TS_CLIENT_SECRET exclude each other/,
  ],
  [{ TS_AUTHKEY: 'k', TS_CLIENT_ID: 'i' }, /^TS_AUTHKEY excludes TS_CLIENT_ID/],
  [
    { ...userspace, ...viaIngress, TS_TAILNET_TARGET_IP: '' },
    /^EXPERIMENTAL_ALLOW_\w+ is not supported with TS_USERSPACE=true/,
  ],
  [{ ...kernel, ...viaIngress, POD_IP: '' }, /^EXPERIMENTAL_ALLOW_\w+ needs .*POD_IP, too/],
  [
    {
      ...userspace,
      ...notViaIngress,
      TS_EXPERIMENTAL_ENABLE_FORWARDING_OPTIMIZATIONS: 'true',
      TS_TAILNET_TARGET_IP: '',
    },
    /^TS_EXPERIMENTAL_ENABLE_FORWARDING_OPTIMIZATIONS is not supported with TS_USERSPACE=true/,
  ],
  [{ TS_HEALTHCHECK_ADDR_PORT: ':1' }, /^TS_HEALTHCHECK_ADDR_PORT=":1" is not valid/],
  [{ ...metrics, TS_LOCAL_ADDR_PORT: ':9002' }, /^TS_LOCAL_ADDR_PORT=":9002" is not valid.*\[::\]:9002 is accepted/],
  [{ TS_DEBUG_ADDR_PORT: 'localhost:1' }, /^TS_DEBUG_ADDR_PORT="localhost:1" is not valid/],
  [
    { TS_ENABLE_HEALTH_CHECK: 'true', TS_HEALTHCHECK_ADDR_PORT: '[::]:81' },
    /^TS_HEALTHCHECK_ADDR_PORT is the older form of TS_ENABLE_HEALTH_CHECK/,
  ],
  [
    { KUBERNETES_SERVICE_HOST: '', TS_EGRESS_PROXIES_CONFIG_PATH: '/etc/proxies' },
    /^TS_EGRESS_PROXIES_CONFIG_PATH is only supported for Tailscale running on Kubernetes$/,
  ],
  [
    { ...pod, TS_KUBE_SECRET: '', TS_EGRESS_PROXIES_CONFIG_PATH: '', TS_INGRESS_PROXIES_CONFIG_PATH: '/etc/proxies/x' },
    /^TS_INGRESS_PROXIES_CONFIG_PATH is only supported for Tailscale running on Kubernetes$/,
  ],
  [{ TS_BOOT_TIMEOUT: '5' }, /^TS_BOOT_TIMEOUT="5" is not valid/],
  [
    {
      ...pod,
      ...userspace,
      ...notViaIngress,
      TS_EGRESS_PROXIES_CONFIG_PATH: '/etc/proxies',
      TS_TEST_FAKE_NETFILTER: '',
      TS_TAILNET_TARGET_IP: '',
    },
    /^TS_EGRESS_PROXIES_CONFIG_PATH is not supported with TS_USERSPACE=true/,
  ],
  [{ ...kernel, TS_TAILSCALED_EXTRA_ARGS: '--tun=a/b' }, /^TS_TAILSCALED_EXTRA_ARGS: --tun="a\/b" is no name/],
  [
    { ...kernel, ...viaIngress, POD_IP: '10.0.0.1', TS_TAILNET_TARGET_IP: '100.64.0.9' },
    /^EXPERIMENTAL_ALLOW_\w+ and TS_TAILNET_TARGET_IP exclude each other/,
  ],
  [{ ...metrics, TS_DEBUG_ADDR_PORT: '10.0.0.1:9002' }, /^TS_DEBUG_ADDR_PORT=.* and TS_LOCAL_ADDR_PORT=.* cannot both/],
  [{ TS_TEST_FAKE_NETFILTER: 'true' }, /^TS_TEST_FAKE_NETFILTER is for tests, and needs TS_TEST_ONLY_ROOT/],
  [{ TS_AUTHKEY: '/run/secrets/key' }, /^TS_AUTHKEY is a path.*write file:PATH$/],
  [{ TS_OUTBOUND_HTTP_PROXY_LISTEN: 'true' }, /^TS_OUTBOUND_HTTP_PROXY_LISTEN="true" is not valid: .* such as :1055/],
  [
    { TS_TAILSCALED_EXTRA_ARGS: '--verbose=1 --accept-routes=true' },
    /^TS_TAILSCALED_EXTRA_ARGS has --accept-routes, .*move it to TS_EXTRA_ARGS$/,
  ],
  [
    { ...kernel, CULVERT_DEST_PORTS: 'tcp/80', TS_TAILNET_TARGET_IP: '100.64.0.1' },
    /^CULVERT_DEST_PORTS and TS_TAILNET_TARGET_IP exclude each other/,
  ],
  [
    { ...kernel, CULVERT_DEST_PORTS: 'tcp/80', TS_TAILNET_TARGET_IP: '', TS_DEST_IP: '' },
    /^CULVERT_DEST_PORTS needs a target, too: set TS_DEST_IP or TS_EXPERIMENTAL_DEST_DNS_NAME, or unset it$/,
  ],
  [
    { ...userspace, TS_DEST_IP: '10.0.0.1, 127.0.0.1', CULVERT_DEST_PORTS: 'tcp/80' },
    /^TS_DEST_IP=127\.0\.0\.1 is the Pod itself: /,
  ],
  [{ CULVERT_DEST_PORTS: '', CULVERT_PROXY_PROTOCOL: '2' }, /^CULVERT_PROXY_PROTOCOL needs CULVERT_DEST_PORTS, too: /],
  [
    { CULVERT_PROXY_PROTOCOL: '', CULVERT_UDP_GSO: 'never' },
    /^CULVERT_UDP_GSO="never" is not valid: auto, on or off is accepted$/,
  ],
  [
    { CULVERT_UDP_GSO: '', CULVERT_LOG_FORMAT: 'xml' },
    /^CULVERT_LOG_FORMAT="xml" is not valid: text or json is accepted$/,
  ],
  [
    { CULVERT_LOG_FORMAT: '', CULVERT_LOG_LEVEL: 'loud' },
    /^CULVERT_LOG_LEVEL="loud" is not valid: debug, info, warn or error is accepted$/,
  ],
]

it.each(['0.0.0.0', '::', '::ffff:127.0.0.1', '0:0::1'])('without a TUN device, %s is the Pod itself', (target) => {
  for (const name of ['TS_DEST_IP', 'TS_EXPERIMENTAL_DEST_DNS_NAME']) {
    const env = { ...userspace, [name]: target, CULVERT_DEST_PORTS: 'udp/53' }
    expect(() => readSettings(env)).toThrow(new RegExp(`^${name}=.* is the Pod itself: `))
  }
})

describe('a broken rule is reported, the first one before the others', () => {
  it.each(failures.map((failure, index) => [String(failure[1]), index] as const))('%s', (_name, index) => {
    const [env, message, badConfig] = failures[index]!
    expect(() => readSettings(env, badConfig)).toThrow(CulvertError)
    expect(() => readSettings(env, badConfig)).toThrow(message)
    for (const [later, , laterConfig] of failures.slice(index + 1)) {
      const both = { ...later, ...env }
      expect(() => readSettings(both, badConfig ?? laterConfig), JSON.stringify(both)).toThrow(message)
    }
  })

  it('each rule is broken by one of these', () => {
    for (const { rule, check } of rules) {
      const holds = failures.every(([env]) => {
        try {
          check(envReader(env))
          return true
        } catch {
          return false
        }
      })
      expect(holds, rule).toBe(false)
    }
  })
})

describe('no rule is broken by', () => {
  it.each<Environment>([
    { ...kernel, TS_DEST_IP: '10.0.0.1', TS_EXPERIMENTAL_ENABLE_FORWARDING_OPTIMIZATIONS: 'true' },
    { ...kernel, TS_DEST_IP: '10.0.0.1', CULVERT_DEST_PORTS: 'tcp/80', TS_SERVE_CONFIG: '/etc/serve.json' },
    { ...kernel, TS_EXPERIMENTAL_DEST_DNS_NAME: 'a.test', CULVERT_DEST_PORTS: 'tcp/80' },
    { ...userspace, TS_DEST_IP: '10.0.0.1', CULVERT_DEST_PORTS: 'tcp/80', CULVERT_PROXY_PROTOCOL: '2' },
    { ...userspace, TS_EXPERIMENTAL_DEST_DNS_NAME: 'a.test', CULVERT_DEST_PORTS: 'udp/53' },
    { TS_CLIENT_ID: 'i', TS_AUDIENCE: 'a' },
    { TS_CLIENT_SECRET: 's' },
    { ...configured, TS_AUTH_ONCE: 'true', TS_USERSPACE: 'false' },
    { TS_HEALTHCHECK_ADDR_PORT: '[::]:81', ...metrics },
    { ...metrics, TS_DEBUG_ADDR_PORT: '10.0.0.1:9001', TS_LOCAL_ADDR_PORT: '10.0.0.1:9002' },
    { TS_DEBUG_ADDR_PORT: '10.0.0.1:9002' },
    { TS_SOCKS5_SERVER: ':1055', TS_OUTBOUND_HTTP_PROXY_LISTEN: 'localhost:http' },
    { TS_TAILSCALED_EXTRA_ARGS: '--port=41641 --tun tailscale0 --some-newer-flag' },
    { TS_EXPERIMENTAL_SERVICE_AUTO_ADVERTISEMENT: 'true', TS_EXPERIMENTAL_CERT_SHARE: 'true' },
    { TS_EXPERIMENTAL_SERVICE_AUTO_ADVERTISEMENT: 'false', TS_SERVE_CONFIG: '/etc/serve.json' },
  ])('%j', (env) => {
    expect(() => readSettings(env)).not.toThrow()
  })
})
