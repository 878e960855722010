import { peers, running } from '../localapi.ts'
import {
  capver,
  device,
  inKernel,
  inKubernetes,
  inMemory,
  inSecret,
  type Scenarios,
  shortWaits,
  tailscaled,
  up,
  userspace,
  withKey,
} from './common.ts'

const withKeyUp = up('--accept-dns=false', '--authkey=tskey-key')
const authkey = { authkey: 'tskey-key' } as const
const inSecretStart = [tailscaled(inSecret, userspace), withKeyUp]
const known = { ...authkey, ...capver, ...device } as const

const foo = (address: string) => peers(['fooID', 'foo.tailnetxyz.ts.net.', `${address}/32`])
/** The status of a service without ports. */
const status = (address: string): string =>
  `{"podIPv4":"","services":{"foo":{"ports":[],"tailnetTargetIPs":["${address}"],"tailnetTarget":{"ip":"","fqdn":"foo.tailnetxyz.ts.net"}}}}`
const services = JSON.stringify({ foo: { tailnetTarget: { ip: '', fqdn: 'foo.tailnetxyz.ts.net' }, ports: [] } })
const mounted = { 'etc/tailscaled/egress-services': services, 'etc/tailscaled/hep-pings': '4' } as const
const preshutdown = { '{port}/internal-egress-services-preshutdown': 200 } as const
const directory = { TS_EGRESS_PROXIES_CONFIG_PATH: '{root}/etc/tailscaled' } as const

const forwarding = (ipv4: '0' | '1', ipv6: '0' | '1') => ({
  'proc/sys/net/ipv4/ip_forward': ipv4,
  'proc/sys/net/ipv6/conf/all/forwarding': ipv6,
})

const mapping = { IPv4Mapping: { TailscaleServiceIP: '100.100.0.1', ClusterIP: '10.0.0.1' } } as const

/** Egress targets, and the services of a ProxyGroup. */
export const servicesAndEgress: Scenarios = {
  egress_proxy: {
    env: { ...withKey, ...inKernel, TS_TAILNET_TARGET_IP: '100.99.99.99' },
    phases: [{ runs: [tailscaled(inMemory), withKeyUp] }, { send: running(), files: forwarding('1', '0') }],
  },
  'egress by name, to a peer that appears later': {
    env: { ...withKey, ...inKernel, TS_TAILNET_TARGET_FQDN: 'foo.tailnetxyz.ts.net' },
    phases: [
      { runs: [tailscaled(inMemory), withKeyUp], files: forwarding('1', '1') },
      {
        send: running(),
        log: 'nothing is called foo.tailnetxyz.ts.net. in this tailnet, or its rules let this node reach nothing of that name',
      },
      { send: foo('100.64.0.2'), log: /forwarding IPv4 from the cluster to 100\.64\.0\.2/ },
    ],
  },
  egress_proxy_fqdn_ipv6_target_on_ipv4_host: {
    env: {
      ...withKey,
      ...inKernel,
      TS_TAILNET_TARGET_FQDN: 'ipv6-node.test.ts.net.',
      TS_TEST_FAKE_NETFILTER_6: 'false',
    },
    phases: [
      { runs: [tailscaled(inMemory), withKeyUp] },
      {
        send: { ...running(), ...peers(['ipv6ID', 'ipv6-node.test.ts.net.', '::1/128']) },
        log: 'no forwarding rules for egress addresses [::1/128], host supports IPv6: false',
      },
      { exit: 1 },
    ],
  },
  egress_svcs_config_kube: {
    env: { ...inKubernetes, ...shortWaits, ...directory, TS_LOCAL_ADDR_PORT: '[::]:{port}' },
    secret: authkey,
    files: mounted,
    phases: [
      { runs: inSecretStart, secret: { ...authkey, ...capver }, answers: preshutdown },
      {
        send: { ...running(), ...foo('100.64.0.2') },
        secret: { ...known, 'egress-services': status('100.64.0.2') },
        answers: preshutdown,
      },
      { send: foo('100.64.0.3'), secret: { ...known, 'egress-services': status('100.64.0.3') } },
    ],
  },
  egress_svcs_config_no_kube: {
    env: { ...withKey, ...directory },
    phases: [{ exit: 1, log: 'TS_EGRESS_PROXIES_CONFIG_PATH is only supported for Tailscale running on Kubernetes' }],
  },
  'egress services that are added and removed': {
    env: { ...inKubernetes, ...shortWaits, ...directory, TS_LOCAL_ADDR_PORT: '[::]:{port}' },
    secret: authkey,
    files: { ...mounted, 'etc/tailscaled/egress-services': '{}' },
    phases: [
      { runs: inSecretStart, secret: { ...authkey, ...capver } },
      {
        send: { ...running(), ...foo('100.64.0.2') },
        secret: { ...known, 'egress-services': '{"podIPv4":"","services":null}' },
      },
      { write: mounted, secret: { ...known, 'egress-services': status('100.64.0.2') } },
      { write: { 'etc/tailscaled/egress-services': '{' }, log: /egress-services.* it is not JSON/ },
      {
        write: { 'etc/tailscaled/egress-services': '{}' },
        secret: { ...known, 'egress-services': '{"podIPv4":"","services":null}' },
      },
    ],
  },
  'ingress services': {
    env: {
      ...inKubernetes,
      ...shortWaits,
      TS_INGRESS_PROXIES_CONFIG_PATH: '{root}/etc/tailscaled/ingress-config.json',
    },
    secret: authkey,
    files: { 'etc/tailscaled/ingress-config.json': JSON.stringify({ 'svc:web': mapping }) },
    phases: [
      { runs: inSecretStart, secret: { ...authkey, ...capver } },
      {
        send: running(),
        secret: {
          ...known,
          'ingress-config.json': JSON.stringify({ configs: { 'svc:web': mapping }, podIPv4: '', podIPv6: '' }),
        },
      },
    ],
  },
  'cluster traffic via ingress': {
    env: {
      ...withKey,
      ...inKernel,
      EXPERIMENTAL_ALLOW_PROXYING_CLUSTER_TRAFFIC_VIA_INGRESS: 'true',
      POD_IP: '10.0.0.5',
    },
    phases: [
      { runs: [tailscaled(inMemory), withKeyUp] },
      {
        send: running(),
        log: /forwarding IPv4 from the cluster to 100\.64\.0\.1, all ports but udp \. 41641/,
        files: forwarding('0', '0'),
      },
    ],
  },
}
