import type { ProxyRequest, Variable } from './request.ts'

type FieldRef = { readonly apiVersion: 'v1'; readonly fieldPath: string }
type Source = { readonly name: string; readonly valueFrom: { readonly fieldRef: FieldRef } }
export type Entry = Variable | Source

export type EnvironmentOptions = {
  readonly request: Pick<ProxyRequest, 'mode' | 'app' | 'variables' | 'serveConfig'>
  /** The proxies are a group's: what has no place in a group is left out. */
  readonly isGroup?: boolean
  readonly agent: 'culvert' | 'upstream'
  /** Empty: not set. */
  readonly firewallMode: string
  readonly debug: boolean
  readonly metrics: boolean
  readonly isStaging: boolean
}

/** Those of a request that come before what all have, as Tailscale's operator orders them. */
const early: ReadonlySet<string> = new Set([
  'EXPERIMENTAL_ALLOW_PROXYING_CLUSTER_TRAFFIC_VIA_INGRESS',
  'TS_SERVE_ALLOW_ALL_INTERFACES',
])

/** A variable with a field of the Pod. The API would add the version, to which a new process would then object once. */
export const podField = (name: string, fieldPath: string): Source => ({
  name,
  valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath } },
})

/** The environment of an agent. Later variables refer to earlier ones. */
export function environment(options: EnvironmentOptions): readonly Entry[] {
  const { request, isGroup = false, agent, firewallMode, debug, metrics, isStaging } = options
  const variables = agent === 'culvert' ? request.variables : known(request.variables)
  const debugPort = '$(TS_DEBUG_ADDR_PORT)'
  const when = (condition: boolean, ...entries: readonly Variable[]): readonly Variable[] => (condition ? entries : [])
  return [
    { name: 'TS_USERSPACE', value: String(request.mode === 'userspace') },
    podField('POD_IP', 'status.podIP'),
    // Without it, cluster traffic of the other family is not forwarded.
    ...(isGroup || (agent === 'culvert' && variables.some(({ name }) => early.has(name)))
      ? [podField('POD_IPS', 'status.podIPs')]
      : []),
    podField('POD_NAME', 'metadata.name'),
    podField('POD_UID', 'metadata.uid'),
    { name: 'TS_KUBE_SECRET', value: '$(POD_NAME)' },
    { name: 'TS_EXPERIMENTAL_SERVICE_AUTO_ADVERTISEMENT', value: 'false' },
    { name: 'TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR', value: '/etc/tsconfig/$(POD_NAME)' },
    ...when(!isGroup, { name: 'TS_DEBUG_ACME_FORCE_RENEWAL', value: 'true' }),
    ...variables.filter(({ name }) => early.has(name)),
    ...when(firewallMode !== '', { name: 'TS_DEBUG_FIREWALL_MODE', value: firewallMode }),
    ...variables.filter(({ name }) => !early.has(name)),
    ...when(request.serveConfig !== undefined, {
      name: 'TS_SERVE_CONFIG',
      value: '/etc/tailscaled/$(POD_NAME)/serve-config',
    }),
    { name: 'TS_INTERNAL_APP', value: request.app },
    ...when(
      debug,
      { name: 'TS_DEBUG_ADDR_PORT', value: '$(POD_IP):9001' },
      { name: 'TS_TAILSCALED_EXTRA_ARGS', value: `--debug=${debugPort}` },
    ),
    ...when(
      metrics,
      { name: 'TS_LOCAL_ADDR_PORT', value: '$(POD_IP):9002' },
      { name: 'TS_ENABLE_METRICS', value: 'true' },
    ),
    ...when(isStaging, {
      name: 'TS_DEBUG_ACME_DIRECTORY_URL',
      value: 'https://acme-staging-v02.api.letsencrypt.org/directory',
    }),
  ]
}

/** What Tailscale's agent understands: none of our own variables, and one target address. */
const known = (variables: readonly Variable[]): readonly Variable[] =>
  variables
    .filter(({ name }) => !name.startsWith('CULVERT_'))
    .map(({ name, value }) => ({ name, value: name === 'TS_DEST_IP' ? value.replace(/,.*/, '') : value }))
