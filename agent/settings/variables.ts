import { logVariables } from '../../lib/log-settings.ts'
import { daemon, login } from './node-variables.ts'
import type { Variable } from './variable.ts'

const l3 = [
  {
    name: 'TS_DEST_IP',
    type: 'addresses',
    effect:
      'L3 ingress: the backends to which traffic for the node is forwarded; they get equal shares of new connections',
  },
  {
    name: 'TS_EXPERIMENTAL_DEST_DNS_NAME',
    type: 'text',
    effect: 'L3 ingress by DNS name: all its addresses are backends; it is resolved again when the TTL is over',
  },
  {
    name: 'CULVERT_DEST_PORTS',
    type: 'ports',
    effect:
      'L3 ingress: forward only these ports, such as `tcp/80,udp/53`; others stay with tailscaled, which can serve them',
  },
  {
    name: 'CULVERT_PROXY_PROTOCOL',
    type: 'text',
    effect:
      'L3 ingress: version (`1` or `2`) of the PROXY protocol, by which backends learn the client’s address; TCP only',
  },
  {
    name: 'TS_TAILNET_TARGET_IP',
    type: 'address',
    effect: 'L3 egress: the address in the tailnet to which everything is forwarded that the cluster sends to the Pod',
  },
  {
    name: 'TS_TAILNET_TARGET_FQDN',
    type: 'text',
    effect: 'L3 egress by name: that of a peer or a Tailscale Service, or a 4via6 name',
  },
  {
    name: 'EXPERIMENTAL_ALLOW_PROXYING_CLUSTER_TRAFFIC_VIA_INGRESS',
    type: 'boolean',
    default: 'false',
    effect: 'Cluster traffic via ingress: forward what the cluster sends to the Pod to the node’s own tailnet address',
  },
  {
    name: 'TS_EGRESS_PROXIES_CONFIG_PATH',
    type: 'path',
    effect: 'ProxyGroup egress: the directory with the files `egress-services` and `hep-pings`',
  },
  { name: 'TS_INGRESS_PROXIES_CONFIG_PATH', type: 'path', effect: 'ProxyGroup ingress: file `ingress-config.json`' },
] as const satisfies readonly Variable[]

const served = [
  { name: 'TS_SERVE_CONFIG', type: 'path', effect: 'L7 ingress: the file with the serve config of tailscaled' },
  {
    name: 'TS_EXPERIMENTAL_SERVICE_AUTO_ADVERTISEMENT',
    type: 'boolean',
    default: 'true',
    effect: 'Advertise the Tailscale Services that `TS_SERVE_CONFIG` serves; operators set `false` for a ProxyGroup',
  },
  {
    name: 'TS_EXPERIMENTAL_CERT_SHARE',
    type: 'boolean',
    default: 'false',
    effect: 'The replicas of a ProxyGroup share certificates: the one whose `POD_NAME` ends in `-0` requests them',
  },
  {
    name: 'CULVERT_REQUEST_CERTIFICATE',
    type: 'boolean',
    default: 'false',
    effect:
      'Request the certificate of the node’s own name as soon as it is served, not at the first connection, and report what blocks it; needs a state Secret',
  },
  {
    name: 'TS_ACME_ACCOUNT_SECRET_NAME',
    type: 'text',
    effect: 'Secret with the ACME account for certificates that ProxyGroups share; tailscaled reads it, from 1.103 on',
  },
  { name: 'TS_ACME_ACCOUNT_FIELD', type: 'text', effect: 'Field of that Secret with the account' },
] as const satisfies readonly Variable[]

const endpoints = [
  {
    name: 'TS_LOCAL_ADDR_PORT',
    type: 'address and port',
    default: '[::]:9002',
    effect: 'Listener of the endpoints; open if one of the next two is true, or for ProxyGroup egress',
  },
  {
    name: 'TS_ENABLE_HEALTH_CHECK',
    type: 'boolean',
    default: 'false',
    effect: 'Serve `/healthz` on `TS_LOCAL_ADDR_PORT`',
  },
  {
    name: 'TS_ENABLE_METRICS',
    type: 'boolean',
    default: 'false',
    effect: 'Serve `/metrics` and `/debug/` on `TS_LOCAL_ADDR_PORT`',
  },
  {
    name: 'TS_HEALTHCHECK_ADDR_PORT',
    type: 'address and port',
    effect: 'Deprecated: another listener with `/healthz` and the probes',
  },
  {
    name: 'TS_DEBUG_ADDR_PORT',
    type: 'address and port',
    effect: 'Debug server of tailscaled, to which `/debug/` is forwarded',
  },
  { name: 'CULVERT_SOCKET', type: 'path', default: '/tmp/culvert.sock', effect: 'Socket for status and readiness' },
  {
    name: 'TS_BOOT_TIMEOUT',
    type: 'duration',
    default: '60s',
    effect: 'Boot deadline: the longest time that start-up may take',
  },
  {
    name: 'CULVERT_TERMINATION_LOG',
    type: 'path',
    default: '/dev/termination-log',
    effect: 'The file to which the reason of a failure is written, if it exists',
  },
] as const satisfies readonly Variable[]

const kubernetes = [
  {
    name: 'POD_IPS',
    type: 'addresses',
    effect:
      'The Pod’s addresses: for its families, the headers of `/healthz` and the status of services in the state Secret',
  },
  {
    name: 'POD_IP',
    type: 'address',
    effect: 'The Pod’s address, for cluster traffic via ingress; adds missing brackets to addresses with a port',
  },
  { name: 'POD_NAME', type: 'text', effect: 'The Pod’s name, for `TS_EXPERIMENTAL_CERT_SHARE` and for Events' },
  { name: 'POD_UID', type: 'text', effect: 'The Pod’s UID, which is written to the state Secret as `pod_uid`' },
  {
    name: 'KUBERNETES_SERVICE_HOST',
    type: 'text',
    effect: 'Set by kubelet: address of the Kubernetes API; if set, the agent runs in Kubernetes',
  },
  { name: 'KUBERNETES_SERVICE_PORT_HTTPS', type: 'text', effect: 'Set by kubelet: port of the Kubernetes API' },
  {
    name: 'TS_KUBERNETES_READ_API_SERVER_ADDRESS_FROM_ENV',
    type: 'text',
    effect: 'If exactly `true`, the API is at that host and port, otherwise at `https://kubernetes.default.svc`',
  },
] as const satisfies readonly Variable[]

const tests = [
  {
    name: 'CULVERT_TEST_SHORT_WAITS',
    type: 'boolean',
    default: 'false',
    effect: 'For tests only: shortens the waits of `agent/world/timings.ts`',
  },
  { name: 'TS_TEST_ONLY_ROOT', type: 'path', effect: 'For tests only: prefix of system paths' },
  {
    name: 'TS_TEST_FAKE_NETFILTER',
    type: 'boolean',
    default: 'false',
    effect: 'For tests only, with `TS_TEST_ONLY_ROOT`: netfilter is simulated in memory',
  },
  {
    name: 'TS_TEST_FAKE_NETFILTER_6',
    type: 'boolean',
    default: 'true',
    effect: 'For tests only: whether that netfilter supports IPv6',
  },
] as const satisfies readonly Variable[]

const byUse = [
  { use: 'Login and node', variables: login },
  { use: 'tailscaled', variables: daemon },
  { use: 'Ingress and egress by address', variables: l3 },
  { use: 'L7 ingress and certificates', variables: served },
  { use: 'Endpoints, start and end', variables: endpoints },
  { use: 'Log', variables: logVariables },
  { use: 'Pod and Kubernetes', variables: kubernetes },
  { use: 'For tests only', variables: tests },
] as const

export type VariableName = (typeof byUse)[number]['variables'][number]['name']

type Known = Variable & { readonly name: VariableName }

/** Every environment variable that the agent reads, by use. tailscaled gets the whole environment in any case. */
export const variablesByUse: readonly { readonly use: string; readonly variables: readonly Known[] }[] = byUse

export const variables: readonly Known[] = variablesByUse.flatMap((group) => group.variables)
