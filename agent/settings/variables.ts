import type { Variable } from './variable.ts'

const login = [
  {
    name: 'TS_AUTHKEY',
    type: 'text',
    secret: true,
    effect: 'Auth key for `tailscale up`; as `file:PATH` it is read from there and shows in no process list',
  },
  {
    name: 'TS_AUTH_KEY',
    type: 'text',
    secret: true,
    olderNameOf: 'TS_AUTHKEY',
    effect: 'Older name of `TS_AUTHKEY`, which wins where both are set',
  },
  { name: 'TS_CLIENT_ID', type: 'text', effect: 'OAuth client ID for `tailscale up`' },
  { name: 'TS_CLIENT_SECRET', type: 'text', secret: true, effect: 'OAuth client secret for `tailscale up`' },
  { name: 'TS_ID_TOKEN', type: 'text', secret: true, effect: 'Workload identity token for `tailscale up`' },
  { name: 'TS_AUDIENCE', type: 'text', effect: 'Workload identity audience for `tailscale up`' },
  {
    name: 'TS_AUTH_ONCE',
    type: 'boolean',
    default: 'false',
    effect: 'Run `tailscale up` only when tailscaled asks for a login, and `tailscale set` after it',
  },
  { name: 'TS_HOSTNAME', type: 'text', effect: 'Name of the node in the tailnet' },
  { name: 'TS_ACCEPT_DNS', type: 'boolean', default: 'false', effect: 'Whether tailscaled takes over the Pod’s DNS' },
  {
    name: 'TS_ROUTES',
    type: 'text',
    presence: true,
    effect: 'Subnet routes to advertise, separated by commas without spaces; set but empty withdraws them',
  },
  { name: 'TS_EXTRA_ARGS', type: 'words', effect: 'Further arguments for `tailscale up`, split at white space' },
  {
    name: 'TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR',
    type: 'path',
    effect: 'One-step mode: directory of `cap-N.hujson` files, from which tailscaled logs in by itself',
  },
] as const satisfies readonly Variable[]

const daemon = [
  { name: 'TS_USERSPACE', type: 'boolean', default: 'true', effect: 'Userspace networking instead of a TUN device' },
  {
    name: 'TS_STATE_DIR',
    type: 'path',
    effect:
      'Directory of tailscaled’s state; beside a state Secret, of its other files alone. With neither of both, state is in memory',
  },
  {
    name: 'TS_KUBE_SECRET',
    type: 'text',
    presence: true,
    effect: 'State Secret; in Kubernetes `tailscale` when unset, none when set but empty',
  },
  { name: 'TS_SOCKET', type: 'path', default: '/tmp/tailscaled.sock', effect: 'Socket of tailscaled’s LocalAPI' },
  { name: 'TS_SOCKS5_SERVER', type: 'text', effect: 'Address of tailscaled’s SOCKS5 proxy' },
  { name: 'TS_OUTBOUND_HTTP_PROXY_LISTEN', type: 'text', effect: 'Address of tailscaled’s HTTP proxy' },
  {
    name: 'PORT',
    type: 'text',
    effect:
      'UDP port of tailscaled’s WireGuard; where everything that is sent to the Pod is led elsewhere, 41641 unless set',
  },
  {
    name: 'TS_TAILSCALED_EXTRA_ARGS',
    type: 'words',
    effect: 'Further arguments for tailscaled, split at white space; `--tun=NAME` names its device',
  },
  {
    name: 'TS_EXPERIMENTAL_ENABLE_FORWARDING_OPTIMIZATIONS',
    type: 'boolean',
    default: 'false',
    effect: 'Have tailscaled set up UDP GRO forwarding of the Pod’s network device, once; failing is only logged',
  },
  {
    name: 'TS_DEBUG_FIREWALL_MODE',
    type: 'text',
    default: 'auto',
    effect:
      '`nftables`, `iptables`, or `auto`: nftables, else iptables ([firewall.md](firewall.md)). tailscaled is told the same',
  },
] as const satisfies readonly Variable[]

const l3 = [
  {
    name: 'TS_DEST_IP',
    type: 'addresses',
    effect: 'L3 ingress: where traffic to the node goes; new connections are spread over several addresses of a family',
  },
  {
    name: 'TS_EXPERIMENTAL_DEST_DNS_NAME',
    type: 'text',
    effect: 'The same by DNS name: its addresses are followed, and new connections spread over them',
  },
  {
    name: 'TS_TAILNET_TARGET_IP',
    type: 'address',
    effect: 'L3 egress: the address in the tailnet to which everything goes that the cluster sends to the Pod',
  },
  {
    name: 'TS_TAILNET_TARGET_FQDN',
    type: 'text',
    effect: 'The same by name: of a peer, of a Tailscale Service, or a 4via6 name',
  },
  {
    name: 'EXPERIMENTAL_ALLOW_PROXYING_CLUSTER_TRAFFIC_VIA_INGRESS',
    type: 'boolean',
    default: 'false',
    effect:
      'What the cluster sends to the Pod goes to the node’s own tailnet address, to be served as from the tailnet',
  },
  {
    name: 'TS_EGRESS_PROXIES_CONFIG_PATH',
    type: 'path',
    effect: 'ProxyGroup egress: the directory with `egress-services` and `hep-pings`',
  },
  {
    name: 'TS_INGRESS_PROXIES_CONFIG_PATH',
    type: 'path',
    effect: 'ProxyGroup ingress: the file `ingress-config.json`',
  },
] as const satisfies readonly Variable[]

const served = [
  { name: 'TS_SERVE_CONFIG', type: 'path', effect: 'L7 ingress: the file with what tailscaled serves' },
  {
    name: 'TS_EXPERIMENTAL_SERVICE_AUTO_ADVERTISEMENT',
    type: 'boolean',
    default: 'true',
    effect: 'Advertise the Tailscale Services that `TS_SERVE_CONFIG` serves; operators of groups say `false`',
  },
  {
    name: 'TS_EXPERIMENTAL_CERT_SHARE',
    type: 'boolean',
    default: 'false',
    effect: 'The replicas of a group share certificates: the one whose `POD_NAME` ends in `-0` has them issued',
  },
  {
    name: 'TS_ACME_ACCOUNT_SECRET_NAME',
    type: 'text',
    effect: 'Secret with the account for certificates that groups share; read by tailscaled, from 1.103 on',
  },
  { name: 'TS_ACME_ACCOUNT_FIELD', type: 'text', effect: 'Where the account is in that Secret' },
] as const satisfies readonly Variable[]

const endpoints = [
  {
    name: 'TS_LOCAL_ADDR_PORT',
    type: 'address and port',
    default: '[::]:9002',
    effect: 'Listener of the endpoints, which is open where one of the next two is true, or for ProxyGroup egress',
  },
  { name: 'TS_ENABLE_HEALTH_CHECK', type: 'boolean', default: 'false', effect: 'Serve `/healthz` there' },
  { name: 'TS_ENABLE_METRICS', type: 'boolean', default: 'false', effect: 'Serve `/metrics` and `/debug/` there' },
  {
    name: 'TS_HEALTHCHECK_ADDR_PORT',
    type: 'address and port',
    effect: 'Deprecated: another listener, for `/healthz` and the probes',
  },
  {
    name: 'TS_DEBUG_ADDR_PORT',
    type: 'address and port',
    effect: 'Debug server of tailscaled, to which `/debug/` leads',
  },
  { name: 'CULVERT_SOCKET', type: 'path', default: '/tmp/culvert.sock', effect: 'Socket for status and readiness' },
  { name: 'TS_BOOT_TIMEOUT', type: 'duration', default: '60s', effect: 'Boot deadline' },
  {
    name: 'CULVERT_TERMINATION_LOG',
    type: 'path',
    default: '/dev/termination-log',
    effect: 'Where the reason of an exit is left, if that file exists',
  },
] as const satisfies readonly Variable[]

const kubernetes = [
  {
    name: 'POD_IPS',
    type: 'addresses',
    effect: 'The Pod’s addresses, for the headers of `/healthz` and for what is said of services in the state Secret',
  },
  {
    name: 'POD_IP',
    type: 'address',
    effect: 'The Pod’s address: brackets that it lacks in an address and port are added',
  },
  { name: 'POD_NAME', type: 'text', effect: 'The Pod’s name; for `TS_EXPERIMENTAL_CERT_SHARE`' },
  { name: 'POD_UID', type: 'text', effect: 'The Pod’s UID, which is written to the state Secret as `pod_uid`' },
  { name: 'KUBERNETES_SERVICE_HOST', type: 'text', effect: 'Set by kubelet: the agent runs in Kubernetes' },
  { name: 'KUBERNETES_SERVICE_PORT_HTTPS', type: 'text', effect: 'Set by kubelet: port of the Kubernetes API' },
  {
    name: 'TS_KUBERNETES_READ_API_SERVER_ADDRESS_FROM_ENV',
    type: 'text',
    effect: 'With exactly `true` the Kubernetes API is at these two, else at `https://kubernetes.default.svc`',
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
    effect: 'For tests only, with `TS_TEST_ONLY_ROOT`: netfilter is kept in memory, and no packet is touched',
  },
  {
    name: 'TS_TEST_FAKE_NETFILTER_6',
    type: 'boolean',
    default: 'true',
    effect: 'For tests only: whether that netfilter carries IPv6',
  },
] as const satisfies readonly Variable[]

const byUse = [
  { use: 'Login and node', variables: login },
  { use: 'tailscaled', variables: daemon },
  { use: 'Ingress and egress by address', variables: l3 },
  { use: 'L7 ingress and certificates', variables: served },
  { use: 'Endpoints, start and end', variables: endpoints },
  { use: 'Pod and Kubernetes', variables: kubernetes },
  { use: 'For tests only', variables: tests },
] as const

export type VariableName = (typeof byUse)[number]['variables'][number]['name']

type Known = Variable & { readonly name: VariableName }

/**
 * Every environment variable that the agent knows, as a closed list, by what they are for. tailscaled gets the whole
 * environment either way.
 */
export const variablesByUse: readonly { readonly use: string; readonly variables: readonly Known[] }[] = byUse

export const variables: readonly Known[] = variablesByUse.flatMap((group) => group.variables)
