import { describe, expect, it } from 'vitest'
import { KubeError } from '../../../kube/error.ts'
import type { JsonObject } from '../../../lib/json.ts'
import { ApiError, type Feature, type Problem } from '../../../operator/api/error.ts'
import type { Facts } from '../../../operator/check/facts.ts'
import { ownImpersonating } from '../../../operator/check/impersonation.ts'
import { judge } from '../../../operator/check/judge.ts'
import { complaints, late, node, read, served, well } from './a-cluster.ts'

const apiError = (problem: Problem, feature?: Feature): ApiError =>
  new ApiError('Tailscale API: it was so', { problem, feature, remedy: 'Do this.' })

it('says of everything that it is ok', () => {
  const findings = judge(well)
  expect(findings.filter(({ level, remedy }) => level !== 'ok' || remedy !== undefined)).toEqual([])
  const checks = findings.map(({ check }) => check)
  expect(new Set(checks).size).toBe(checks.length)
})

it('tells of each fact that is not known why, and of the others as usual', () => {
  const errors = new Set(['settings', 'apiServer', 'unusable'])
  for (const name of Object.keys(well) as (keyof Facts)[]) {
    const expected = errors.has(name)
      ? /^error [a-z-]+: it took too long$/
      : /^warning [a-z-]+: not known.*: it took too long/
    // The addresses of nodes are looked at, too.
    const lines = Array.from({ length: name === 'nodes' ? 2 : 1 }, () => expect.stringMatching(expected))
    expect(complaints({ [name]: late }), name).toEqual(lines)
  }
})

describe('settings', () => {
  it.each([
    [
      { value: { ...read, warnings: ['PROXY_TAG is no setting of the operator'] } },
      'warning settings: PROXY_TAG is no setting of the operator. Remove it',
    ],
    [{ error: new Error('PROXY_TAGS="k8s" is not valid') }, 'error settings: PROXY_TAGS="k8s" is not valid'],
  ])('%j', (settings, expected) => {
    expect(complaints({ settings })).toEqual([expect.stringContaining(expected)])
  })
})

it('names what impersonates and has no account for that', () => {
  const impersonators = (hasAccount: boolean) => ({
    impersonators: { value: { all: ['ProxyGroup kube'], hasAccount } },
  })
  expect(complaints(impersonators(true))).toEqual([])
  expect(complaints(impersonators(false))).toEqual([
    expect.stringMatching(
      /^error impersonation: there is no ServiceAccount kube-apiserver-auth-proxy, .*: ProxyGroup kube\. Install/,
    ),
  ])
})

it('asks for the tags and the account of the proxy of the settings, too', () => {
  const tags = ['tag:k8s-operator', ...read.settings.proxyTags]
  const apiServerProxy = { mode: 'auth', hostname: 'east', tags } as const
  const settings = { ...read.settings, apiServerProxy }
  const made = judge({ ...well, settings: { value: { ...read, settings } } }).find(({ check }) => check === 'tags')
  expect(made?.message).toContain(' tag:k8s, tag:k8s-operator could be made')
  expect(ownImpersonating(settings)).toEqual(['APISERVER_PROXY'])
  expect(ownImpersonating({ apiServerProxy: { ...apiServerProxy, mode: 'noauth' } })).toEqual([])
})

it('passes on the remedy of an error, once', () => {
  const error = new KubeError('get of the version failed', { retryable: true, remedy: 'Check the network.' })
  expect(complaints({ apiServer: { error } })).toEqual([
    'error api-server: get of the version failed. Check the network.',
  ])
})

describe('definitions', () => {
  const without = (name: string): Facts['kinds'] => ({
    value: { ...served, resources: new Set([...served.resources].filter((one) => one !== name)) },
  })
  const properties = (schema: unknown, part: string): JsonObject =>
    ((schema as JsonObject)['properties'] as Record<string, { properties: JsonObject }>)[part]!.properties
  /** Connectors with other fields in their specification. */
  const connectors = (spec: (fields: JsonObject) => unknown): Facts['kinds'] => {
    const schema = served.schemas.get('Connector')!
    const changed = {
      ...schema,
      properties: { ...(schema['properties'] as object), spec: spec(properties(schema, 'spec')) },
    }
    return { value: { ...served, schemas: new Map([...served.schemas, ['Connector', changed]]) } }
  }
  const hint = /kubectl apply --server-side --filename operator\/crds/

  it.each([
    ['a kind is absent', without('connectors'), /connectors.tailscale.com is not there in the version v1alpha1/],
    ['it has no status', without('connectors/status'), /connectors.tailscale.com has no subresource status/],
    [
      'a field is absent',
      connectors((fields) => ({ properties: { ...fields, tags: undefined } })),
      /lacks the fields spec.tags, which/,
    ],
    [
      'a field within one is absent',
      connectors((fields) => ({ properties: { ...fields, subnetRouter: { properties: {} } } })),
      /lacks the fields spec.subnetRouter.advertiseRoutes, which/,
    ],
    ['all are', connectors(() => ({})), /lacks the fields spec\.subnetRouter, .*, which/],
    ['they are no schema', connectors(() => 'garbage'), /lacks the fields spec, which/],
  ])('%s', (_, kinds, message) => {
    expect(complaints({ kinds })).toEqual([expect.stringMatching(message)])
    expect(complaints({ kinds })[0]).toMatch(hint)
  })

  it('other fields besides ours, and those that take anything, are no fault', () => {
    expect(complaints({ kinds: connectors((fields) => ({ properties: { ...fields, more: {} } })) })).toEqual([])
    const open = { 'x-kubernetes-preserve-unknown-fields': true }
    expect(complaints({ kinds: connectors(() => open) })).toEqual([])
  })

  it('all kinds may be absent', () => {
    const none = { value: { resources: new Set<string>(), schemas: new Map() } }
    expect(complaints({ kinds: none })).toHaveLength(8)
  })
})

it('names only the rights that are missing, the verbs on one thing together', () => {
  const missing = [
    { verb: 'list', group: '', resource: 'services' },
    { verb: 'patch', group: '', resource: 'services' },
    { verb: 'patch', group: 'tailscale.com', resource: 'connectors', subresource: 'status' },
    { verb: 'get', group: 'coordination.k8s.io', resource: 'leases', name: 'culvert-operator', namespace: 'tailscale' },
  ]
  expect(complaints({ forbidden: { value: missing } })).toEqual([
    expect.stringContaining(
      'may not: list+patch services in all namespaces, patch connectors/status.tailscale.com in all namespaces, get leases.coordination.k8s.io "culvert-operator" in tailscale. Apply',
    ),
  ])
})

describe('the namespace', () => {
  it.each([
    [{ name: 'ts', forbiddenBy: 'restricted' as const }, /^warning .* ts enforces the level restricted/],
    [{ name: 'ts', forbiddenBy: 'baseline' as const }, /kubectl label namespace ts --overwrite pod-security/],
    [undefined, /^error .* does not exist. Correct OPERATOR_NAMESPACE/],
  ])('%j', (value, expected) => {
    expect(complaints({ namespace: { value } })).toEqual([expect.stringMatching(expected)])
  })
})

describe('nodes', () => {
  const windows = { ...node, name: 'win', os: 'windows', architecture: 'amd64' }
  const arm = { ...node, name: 'pi', architecture: 'arm' }
  it.each([
    [[node, { ...node, kernel: '5.2.0' }, { ...node, kernel: 'unusual' }], []],
    [[node, windows, arm], [/^warning nodes: .* cannot run on win \(windows\/amd64\), pi \(linux\/arm\)\. Keep/]],
    [[windows], [/^error nodes: .*win/]],
    [
      [
        { ...node, kernel: '4.18.0-553.el8' },
        { ...node, kernel: '5.1.21' },
      ],
      [/^warning .* one \(4\.18.*5\.1\.21/],
    ],
    [
      [node, { ...node, name: 'new', os: '', architecture: '', kernel: '' }],
      [/^warning nodes: .* not known yet .*: new\./],
    ],
    [[], [/^warning nodes: the cluster has none/]],
  ])('%#', (value, expected) => {
    expect(complaints({ nodes: { value } })).toEqual(expected.map((one) => expect.stringMatching(one)))
  })
})

describe('addresses of the tailnet in the cluster', () => {
  it.each([
    ['100.63.255.255', false],
    ['100.64.0.0', true],
    ['100.127.255.255', true],
    ['100.128.0.0', false],
    ['100.96.0.0/11', true],
    ['100.0.0.0/8', true],
    ['100.128.0.0/9', false],
    ['fd7a:115c:a1e0::1', true],
    ['fd7a:115c:a1e0:1::/64', true],
    ['fd7a::/16', true],
    ['fd00::/16', false],
    ['node.example.com', false],
    ['', false],
  ])('%s: %s', (text, isFound) => {
    const used = [{ by: 'it', text }]
    const expected = isFound ? [expect.stringContaining(`: it (${text}). Proxies`)] : []
    expect(complaints({ pods: { value: used } })).toEqual(expected)
    expect(complaints({ services: { value: used } })).toEqual(expected)
    expect(complaints({ nodes: { value: [{ ...node, used }] } })).toEqual(expected)
  })

  it('are named once, and not all if there are many', () => {
    const used = Array.from({ length: 40 }, (_, index) => ({ by: `Pod a/${index % 20}`, text: '100.64.0.1' }))
    expect(complaints({ pods: { value: used } })).toEqual([
      expect.stringContaining('Pod a/9 (100.64.0.1) and 10 others'),
    ])
  })
})

describe('Tailscale’s API', () => {
  it.each([
    [
      [apiError('no-route', 'vip-services')],
      [/^warning tailscale-api: ProxyGroups for ingress do not work: .*Do this\.$/],
    ],
    [
      [apiError('forbidden', 'vip-services'), apiError('forbidden', 'devices')],
      [/^warning/, /^error tailscale-api/],
    ],
    [[apiError('no-route', 'oauth')], [/^error tailscale-api/]],
  ])('%#', (value, expected) => {
    expect(complaints({ unusable: { value } })).toEqual(expected.map((one) => expect.stringMatching(one)))
  })

  it.each([
    [{ error: apiError('refused') }, /^error tags: Tailscale API: it was so\. Do this\./],
    [{ error: apiError('unavailable') }, /^warning tags: not known: /],
    [{ value: late }, /^warning tags: a key for the check was made, which expires in a minute: it took/],
  ])('tags: %#', (key, expected) => {
    expect(complaints({ key })).toEqual([expect.stringMatching(expected)])
  })

  it.each([
    [{ value: false }, /^warning https: HTTPS is off: Ingresses get no certificates\. Switch it on, on the page DNS/],
    [{ value: undefined }, /^warning https: not known: the server does not say\. Look at the page DNS/],
    [
      { error: apiError('forbidden') },
      /^warning https: not known: .*Look at the page DNS of the admin console\. Do this/,
    ],
    [{ error: apiError('no-route', 'settings') }, /^warning https: not known: Tailscale API: it was so\. Do this\.$/],
  ])('HTTPS: %#', (https, expected) => {
    expect(complaints({ https })).toEqual([expect.stringMatching(expected)])
  })
})

it('keeps a finding on one line, whatever the cluster answers', () => {
  const error = new Error('<html>\n\u001B[31m’')
  expect(complaints({ apiServer: { error } })).toEqual(['error api-server: <html>\\u000a\\u001b[31m’'])
})
