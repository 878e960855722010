import { expect, test } from 'vitest'
import { clusterDomain } from '../../../operator/settings/cluster-domain.ts'
import { logSettings, readOperatorSettings } from '../../../operator/settings/read.ts'

const given = (env: Readonly<Record<string, string>>, podNamespace: string | undefined = 'tailscale') =>
  readOperatorSettings({ env, podNamespace, resolvConf: '', version: '1.2.3' })
const oauth = { CLIENT_ID_FILE: '/oauth/client_id', CLIENT_SECRET_FILE: '/oauth/client_secret' }

test('little is needed', () => {
  expect(given(oauth)).toEqual({
    settings: {
      namespace: 'tailscale',
      namespaces: [],
      clusterDomain: 'cluster.local',
      loginServer: 'https://controlplane.tailscale.com',
      ingressClass: 'tailscale',
      isDefaultLoadBalancer: false,
      proxyImage: 'culvert/agent:1.2.3',
      apiServerImage: 'culvert/apiserver:1.2.3',
      apiServerProxy: undefined,
      recorderImage: 'culvert/recorder:1.2.3',
      agent: 'culvert',
      proxyTags: ['tag:k8s'],
      firewallMode: '',
      priorityClass: '',
      defaultProxyClass: '',
      operatorId: '',
      operatorSecret: 'operator',
      sharesAcmeAccount: false,
      concurrency: 4,
      shards: 1,
    },
    process: {
      port: 9002,
      isVerbose: false,
      election: { lease: 15_000, deadline: 10_000, retry: 2000 },
      credentials: { type: 'oauth-client', idFile: '/oauth/client_id', secretFile: '/oauth/client_secret' },
    },
    warnings: [],
  })
})

test.each([
  [{}, 'text', 'info'],
  [{ OPERATOR_LOGGING: 'debug' }, 'text', 'debug'],
  [{ OPERATOR_LOGGING: 'dev', CULVERT_LOG_FORMAT: 'json', CULVERT_LOG_LEVEL: 'warn' }, 'json', 'warn'],
  [{ CULVERT_LOG_LEVEL: 'debug' }, 'text', 'debug'],
  // It is told in this form that they are not valid.
  [{ CULVERT_LOG_FORMAT: 'xml', CULVERT_LOG_LEVEL: 'loud' }, 'text', 'info'],
])('%j logs in %s from the level %s on', (env, format, level) => {
  expect(logSettings(env)).toEqual({ format, level })
})

test('how to log is checked with the rest', () => {
  expect(() => given({ ...oauth, CULVERT_LOG_LEVEL: 'loud' })).toThrow(
    'CULVERT_LOG_LEVEL="loud" is not valid: debug, info, warn or error is accepted',
  )
})

test('everything can be set, and blanks around values do not count', () => {
  const { settings, process, warnings } = given({
    CLIENT_ID: 'identity',
    OPERATOR_NAMESPACE: ' proxies ',
    CULVERT_NAMESPACES: 'shop, wiki,proxies',
    OPERATOR_LOGIN_SERVER: 'https://headscale.example.com/',
    OPERATOR_INGRESS_CLASS_NAME: 'tailnet',
    OPERATOR_DEFAULT_LOAD_BALANCER: 'true',
    OPERATOR_LOGGING: 'dev',
    CULVERT_AGENT: 'upstream',
    CULVERT_OPERATOR_PORT: '8080',
    CULVERT_CONCURRENCY: '16',
    CULVERT_SHARDS: '3',
    CULVERT_LEASE_DURATION: '1m30s',
    CULVERT_LEASE_RENEW_DEADLINE: '1m',
    CULVERT_LEASE_RETRY_PERIOD: '2.5s',
    PROXY_TAGS: 'tag:a, tag:b-2',
    PROXY_FIREWALL_MODE: 'iptables',
    PROXY_PRIORITY_CLASS_NAME: 'high',
    PROXY_DEFAULT_CLASS: 'usual',
    CULVERT_OPERATOR_ID: 'east',
    OPERATOR_SECRET: 'operator-2',
  })
  expect(settings).toMatchObject({
    namespace: 'proxies',
    namespaces: ['proxies', 'shop', 'wiki'],
    loginServer: 'https://headscale.example.com',
    ingressClass: 'tailnet',
    isDefaultLoadBalancer: true,
    proxyImage: 'tailscale/tailscale:latest',
    agent: 'upstream',
    proxyTags: ['tag:a', 'tag:b-2'],
    firewallMode: 'iptables',
    priorityClass: 'high',
    defaultProxyClass: 'usual',
    operatorId: 'east',
    operatorSecret: 'operator-2',
    concurrency: 16,
    shards: 3,
  })
  expect(process).toMatchObject({
    port: 8080,
    isVerbose: true,
    election: { lease: 90_000, deadline: 60_000, retry: 2500 },
    credentials: {
      type: 'workload-identity',
      clientId: 'identity',
      tokenFile: '/var/run/secrets/tailscale/serviceaccount/token',
    },
  })
  expect(warnings).toEqual([])
})

test('all problems are named at once, without the files of credentials', () => {
  const wrong = {
    OPERATOR_LOGIN_SERVER: 'headscale.example.com',
    OPERATOR_DEFAULT_LOAD_BALANCER: 'maybe',
    CULVERT_AGENT: 'other',
    CULVERT_OPERATOR_PORT: '0',
    CULVERT_CONCURRENCY: 'many',
    CULVERT_SHARDS: '17',
    CULVERT_LEASE_DURATION: '2.5s',
    CULVERT_LEASE_RENEW_DEADLINE: '0',
    CULVERT_LEASE_RETRY_PERIOD: '2',
    PROXY_TAGS: 'k8s',
    PROXY_FIREWALL_MODE: 'pf',
    CLIENT_ID_FILE: '/oauth/client_id',
  }
  let text = ''
  try {
    given(wrong, '')
  } catch (error) {
    text = String(error)
  }
  for (const name of Object.keys(wrong)) expect(text).toContain(name)
  expect(text).toContain('OPERATOR_NAMESPACE is not set')
  expect(text).toContain('no credentials')
})

test.each([
  ['15s', '14.5s', '2s', 'CULVERT_LEASE_RENEW_DEADLINE="14.5s"'],
  ['15s', '10s', '6s', 'CULVERT_LEASE_RETRY_PERIOD="6s"'],
  ['15s', '10s', '1ms', 'CULVERT_LEASE_RETRY_PERIOD="1ms"'],
  ['11m', '10s', '2s', 'CULVERT_LEASE_DURATION="11m"'],
])(
  'times of the Lease that would let two write, or none for long, are refused: %s, %s, %s',
  (lease, deadline, retry, names) => {
    const env = {
      CULVERT_LEASE_DURATION: lease,
      CULVERT_LEASE_RENEW_DEADLINE: deadline,
      CULVERT_LEASE_RETRY_PERIOD: retry,
    }
    expect(() => given({ ...oauth, ...env })).toThrow(names)
  },
)

test('a variable that has no effect is named', () => {
  const { warnings } = given({
    ...oauth,
    AUTH_PROXY: 'true',
    TS_PORT: '41641',
    CULVERT_AGENTS: 'culvert',
    PROXY_WHATEVER_ELSE: 'x',
    HOME: '/root',
  })
  expect(warnings).toEqual([
    expect.stringMatching(/^AUTH_PROXY has no effect: .* APISERVER_PROXY/),
    expect.stringMatching(/^TS_PORT has no effect: /),
    'CULVERT_AGENTS is no setting of the operator; did you mean CULVERT_AGENT?',
    'PROXY_WHATEVER_ELSE is no setting of the operator',
  ])
})

const usual = { hostname: 'tailscale-operator', tags: ['tag:k8s-operator'] }
test.each([
  [{ APISERVER_PROXY: 'false', OPERATOR_HOSTNAME: 'of_nobody' }, undefined],
  [{ APISERVER_PROXY: 'true' }, { mode: 'auth', ...usual }],
  [{ APISERVER_PROXY: 'auth' }, { mode: 'auth', ...usual }],
  [
    { APISERVER_PROXY: 'noauth', OPERATOR_HOSTNAME: 'east', OPERATOR_INITIAL_TAGS: 'tag:a, tag:b' },
    { mode: 'noauth', hostname: 'east', tags: ['tag:a', 'tag:b'] },
  ],
])('%j asks for a proxy of the API server, or for none', (env, expected) => {
  const { settings, warnings } = given({ ...oauth, ...env })
  expect(settings.apiServerProxy).toEqual(expected)
  expect(warnings).toEqual([])
})

test('the image of API server proxies is the one that is set, or of the version of the operator', () => {
  expect(given({ ...oauth, K8S_PROXY_IMAGE: 'registry/k8s:1' }).settings.apiServerImage).toBe('registry/k8s:1')
  for (const env of [{}, { K8S_PROXY_IMAGE: ' ' }, { PROXY_IMAGE: 'registry/agent:7' }])
    expect(given({ ...oauth, ...env }).settings.apiServerImage).toBe('culvert/apiserver:1.2.3')
})

test.each([
  [{ APISERVER_PROXY: 'yes' }, 'APISERVER_PROXY="yes" is not valid: true, noauth or false'],
  [{ APISERVER_PROXY: 'true', OPERATOR_HOSTNAME: 'a.b' }, 'OPERATOR_HOSTNAME="a.b" is not valid: letters'],
  [{ APISERVER_PROXY: 'true', OPERATOR_INITIAL_TAGS: 'k8s' }, 'OPERATOR_INITIAL_TAGS="k8s" is not valid: tags such as'],
])('%j is refused', (env, message) => {
  expect(() => given({ ...oauth, ...env })).toThrow(message)
})

test.each([
  ['search ns.svc.example.org svc.example.org example.org\nnameserver 10.0.0.10', 'example.org'],
  ['nameserver 10.0.0.10\nsearch ns.svc.k.local. svc.k.local. k.local. host.lan', 'k.local'],
  ['search svc.example.org example.org', 'cluster.local'],
  ['search a b c', 'cluster.local'],
  ['', 'cluster.local'],
])('the domain of the cluster is that of the search list: %j', (resolvConf, domain) => {
  expect(clusterDomain(resolvConf)).toBe(domain)
})
