import { logVariables } from '../../lib/log-settings.ts'

/** An environment variable of the operator. */
type Variable = {
  readonly name: string
  readonly default?: string
  /** For users, as Markdown. */
  readonly effect: string
  /** Why it has no effect here, if Tailscale's operator knows it. */
  readonly ignored?: string
}

const noDevice = 'the operator itself is not in the tailnet'

/** All variables that the operator knows. Those of Tailscale's operator have the same names and meanings. */
export const variables = [
  { name: 'OPERATOR_NAMESPACE', effect: 'Where the proxies run; by default the namespace of the operator’s Pod' },
  {
    name: 'CULVERT_NAMESPACES',
    effect:
      'The only namespaces whose Services, Ingresses and other objects count, separated by commas; that of the operator always does. By default all',
  },
  {
    name: 'OPERATOR_LOGIN_SERVER',
    default: 'https://controlplane.tailscale.com',
    effect: 'The control server, of the operator and of its proxies',
  },
  { name: 'CLIENT_ID_FILE', effect: 'File with the ID of the OAuth client' },
  { name: 'CLIENT_SECRET_FILE', effect: 'File with the secret of the OAuth client' },
  {
    name: 'CLIENT_ID',
    effect:
      'Workload identity instead of an OAuth client: the ID, for which the token in `/var/run/secrets/tailscale/serviceaccount/token` counts',
  },
  { name: 'OPERATOR_INGRESS_CLASS_NAME', default: 'tailscale', effect: 'The class of Ingresses that are served' },
  {
    name: 'OPERATOR_DEFAULT_LOAD_BALANCER',
    default: 'false',
    effect: 'Serve Services of type LoadBalancer without `loadBalancerClass`, too',
  },
  {
    name: 'CULVERT_AGENT',
    default: 'culvert',
    effect: 'Which agent `PROXY_IMAGE` has: `culvert`, or `upstream` for Tailscale’s',
  },
  {
    name: 'PROXY_IMAGE',
    effect: 'The image of proxies; by default Culvert’s of the same version, or `tailscale/tailscale:latest`',
  },
  {
    name: 'K8S_PROXY_IMAGE',
    effect: 'The image of API server proxies, beside that of the agent; by default Culvert’s of the same version',
  },
  {
    name: 'APISERVER_PROXY',
    default: 'false',
    effect:
      'A proxy of the API server besides those of ProxyGroups: `true`, by which requests are made as whoever asks; `noauth`, with the credentials that the caller sends',
  },
  { name: 'OPERATOR_HOSTNAME', default: 'tailscale-operator', effect: 'The name of that proxy in the tailnet' },
  {
    name: 'OPERATOR_INITIAL_TAGS',
    default: 'tag:k8s-operator',
    effect: 'The tags of that proxy, separated by commas; a device that exists keeps its own',
  },
  {
    name: 'CULVERT_RECORDER_IMAGE',
    effect: 'The image of recorders, beside that of the agent; by default Culvert’s of the same version',
  },
  { name: 'PROXY_TAGS', default: 'tag:k8s', effect: 'Tags of proxies, separated by commas' },
  {
    name: 'PROXY_FIREWALL_MODE',
    effect:
      '`auto`, `nftables` or `iptables`: the firewall of proxies that forward packets; by default the agent’s choice',
  },
  { name: 'PROXY_PRIORITY_CLASS_NAME', effect: 'The PriorityClass of proxies' },
  {
    name: 'PROXY_DEFAULT_CLASS',
    effect:
      'The ProxyClass of Services, Ingresses and ProxyGroups that name none, and of the proxy of `APISERVER_PROXY`',
  },
  {
    name: 'OPERATOR_SHARED_ACME_ACCOUNT_KEY',
    default: 'false',
    effect: 'The proxies of ingress groups share an ACME account for their certificates',
  },
  {
    name: 'CULVERT_OPERATOR_ID',
    effect:
      'By which name the operator owns Tailscale Services, another one in each cluster; by default that of Tailscale’s operator before it, or one that it makes and keeps in the Secret `culvert-operator-id`',
  },
  {
    name: 'OPERATOR_SECRET',
    default: 'operator',
    effect:
      'The Secret with the state of the node that Tailscale’s operator had, if there is one; the proxy of `APISERVER_PROXY` goes on as that node',
  },
  { name: 'CULVERT_OPERATOR_PORT', default: '9002', effect: 'Port of `/livez`, `/readyz` and `/metrics`' },
  {
    name: 'CULVERT_CONCURRENCY',
    default: '4',
    effect: 'How many objects of each kind are worked on at once, from 1 to 100',
  },
  {
    name: 'CULVERT_SHARDS',
    default: '1',
    effect:
      'Into how many parts Services and Ingresses with proxies of their own are divided, each with a Lease of its own, so that several replicas work at once; from 1 to 16. [Several leaders](operator.md#several-leaders)',
  },
  {
    name: 'CULVERT_LEASE_DURATION',
    default: '15s',
    effect:
      'How long the other replicas wait after the last sign of life of the one that works, before one takes its place; in whole seconds',
  },
  {
    name: 'CULVERT_LEASE_RENEW_DEADLINE',
    default: '10s',
    effect:
      'When the replica that works has not renewed its Lease for so long, it writes nothing any more and ends. The difference to the duration, a second at least, is the time that what it had sent may take',
  },
  { name: 'CULVERT_LEASE_RETRY_PERIOD', default: '2s', effect: 'The time between renewals of the Lease' },
  ...logVariables,
  {
    name: 'OPERATOR_LOGGING',
    default: 'info',
    effect: '`info`, or `debug` to log each object that is written, too',
  },
  { name: 'TS_PORT', effect: '', ignored: noDevice },
  { name: 'AUTH_PROXY', effect: '', ignored: 'its name is APISERVER_PROXY now' },
] as const satisfies readonly Variable[]

export type VariableName = (typeof variables)[number]['name']
