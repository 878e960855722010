import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Finding, lineOf } from '../../../lib/finding.ts'
import type { ApiClient } from '../../lab/control-types.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { takeovers } from '../migrate/on-a-bed.ts'
import { custom } from '../operate.ts'
import { connector } from '../proxy/engine-bed.ts'
import { CheckBed } from './check-bed.ts'

const scopes = ['auth_keys', 'devices:core', 'services', 'feature_settings:read', 'dns:read']

let at: CheckBed
let client: ApiClient
beforeAll(async () => {
  at = await CheckBed.start()
  client = await at.bed.control.createApiClient({ tags: ['tag:k8s-operator'], scopes })
  await at.bed.control.putApi({ tagOwners: { 'tag:k8s': ['tag:k8s-operator'] } })
})
afterAll(() => at[Symbol.asyncDispose]())
beforeEach(() => printLogsOnFailure(at.bed))

const kubectl = (...args: string[]): Promise<unknown> => at.bed.cluster.kubectl(args)
const changed = (...operations: object[]): string[] => ['--type=json', `--patch=${JSON.stringify(operations)}`]

/** What is not ok, in lines. */
async function complaints(more?: Readonly<Record<string, string>>, by = client): Promise<string[]> {
  const findings = await at.check(by, more)
  return findings.filter(({ level }) => level !== 'ok').map(lineOf)
}

it('prints that all is well, and leaves no key', async () => {
  const { printed, exitCode } = await at.run(client, 'check')
  expect(printed.trimEnd().split('\n')).toEqual([
    'ok settings: the operator’s environment is valid: proxies run in the namespace tailscale',
    expect.stringMatching(/^ok api-server: it answers, and is Kubernetes v1\.\d+/),
    'ok definitions: all 8 kinds of tailscale.com/v1alpha1 are there, with every field',
    'ok rights: the service account may do all that the operator does',
    'ok pod-security: the namespace tailscale admits proxies that forward packets',
    'ok impersonation: no proxy impersonates those who use the API of the cluster',
    'ok nodes: all 1 run Linux with a kernel that is new enough',
    'ok tun: proxies use /dev/net/tun on 0 of 1 nodes; nothing is known of others',
    expect.stringMatching(/^ok overlap: /),
    'ok tailscale-api: the credentials work, for devices, keys and Services',
    'ok tags: a key for tag:k8s could be made, and was removed',
    'ok auto-approvers: nothing in the cluster needs the tailnet’s approval',
    'ok https: HTTPS is on',
    'ok magic-dns: MagicDNS is on',
  ])
  expect(exitCode).toBe(0)
  expect(await at.bed.control.keys()).toEqual([])
})

describe('a takeover from Tailscale’s operator', () => takeovers(() => at))

it('ends with 1 if there are errors, and prints JSON that has no secret', async () => {
  const { printed, exitCode } = await at.run({ ...client, secret: 'tskey-client-wrong' }, 'check', '--json')
  expect(exitCode).toBe(1)
  expect(printed).not.toContain('tskey')
  const findings = JSON.parse(printed) as Finding[]
  expect(findings.flatMap(({ check, level }) => (level === 'error' ? [check] : []))).toEqual(['tailscale-api', 'tags'])
})

it('names tags that the credentials may not give', async () => {
  expect(await complaints({ PROXY_TAGS: 'tag:db' })).toEqual([
    expect.stringMatching(/^error tags: .*tag:db.* Each tag must be in the tailnet policy's tagOwners/),
  ])
})

it('tells what the credentials do not let it see, and which parts of the API they do not allow', async () => {
  const operator = await at.bed.control.createApiClient({ tags: ['tag:k8s-operator'] })
  expect(await complaints({}, operator)).toEqual([
    expect.stringMatching(/^warning https: not known: .*403.* Look at the page DNS.*feature_settings:read/),
    expect.stringMatching(/^warning magic-dns: not known: .*403.* Look at the page DNS.*dns:read/),
  ])
  const lesser = await at.bed.control.createApiClient({ scopes: scopes.filter((scope) => scope !== 'services') })
  expect(await complaints({ PROXY_TAGS: 'tag:k8s' }, { ...lesser, tags: ['tag:k8s-operator'] })).toContainEqual(
    expect.stringMatching(/^warning tailscale-api: ProxyGroups for ingress do not work: .*403/),
  )
})

it('tells that credentials are refused, and goes on with the cluster', async () => {
  const lines = await complaints({}, { ...client, secret: 'tskey-client-wrong' })
  expect(lines.map((line) => line.replace(/:.*/, ''))).toEqual([
    'error tailscale-api',
    'error tags',
    'warning https',
    'warning magic-dns',
  ])
  expect(lines[0]).toMatch(/401.* Put the ID and secret of an OAuth client that still exists/)
})

it('tells what Headscale does not have', async () => {
  await at.bed.control.putApi({ play: 'headscale' })
  expect(await complaints()).toEqual([
    expect.stringMatching(/^warning tailscale-api: ProxyGroups for ingress.*does not have that part of the API/),
    expect.stringMatching(/^warning https: not known/),
    expect.stringMatching(/^warning magic-dns: not known/),
  ])
  await at.bed.control.putApi({ play: 'tailscale' })
})

it('tells that HTTPS and MagicDNS are off', async () => {
  await at.bed.control.putSettings({ https: false, magicDNS: false })
  expect(await complaints()).toEqual([
    expect.stringMatching(/^warning https: HTTPS is off/),
    expect.stringMatching(/^warning magic-dns: MagicDNS is off/),
  ])
  await at.bed.control.putSettings({ https: true, magicDNS: true })
})

it('names what the tailnet’s policy does not approve by itself', async () => {
  await at.bed.cluster.apply(
    connector('office', { hostname: 'office', exitNode: true }),
    custom('ProxyGroup', 'edge', { type: 'ingress' }),
  )
  // The bed's control server has no policy.
  expect(await complaints()).toEqual([expect.stringMatching(/^warning auto-approvers: not known: .*does not have/)])
  const policy = (approvers: object) => `{ // HuJSON
    "autoApprovers": ${JSON.stringify(approvers)}, }`
  const answer = (body: string) => at.bed.control.addApiFault({ path: '/tailnet/-/acl', status: 200, body, times: 0 })
  await answer(policy({ routes: { '10.0.0.0/8': ['tag:k8s'] }, exitNode: ['tag:db'] }))
  expect(await complaints()).toEqual([
    expect.stringMatching(
      /^warning auto-approvers: .*: 0\.0\.0\.0\/0 of Connector office, ::\/0 of Connector office, Tailscale Services of ProxyGroup edge\. /,
    ),
  ])
  await at.bed.control.removeApiFaults()
  await answer(
    policy({ routes: { '10.0.0.0/8': ['tag:k8s'] }, exitNode: ['tag:k8s'], services: { 'tag:k8s': ['tag:k8s'] } }),
  )
  expect(await complaints()).toEqual([])
  await at.bed.control.removeApiFaults()
  await kubectl('delete', 'connector/office', 'proxygroup/edge')
})

it('names a node where the TUN device is missing, as kubelet says', async () => {
  const involvedObject = { apiVersion: 'v1', kind: 'Pod', name: 'ts-a-0', namespace: 'tailscale' }
  const message =
    'MountVolume.SetUp failed for volume "tun" : hostPath type check failed: /dev/net/tun is not a character device'
  const event = { involvedObject, type: 'Warning', reason: 'FailedMount', message, source: { host: 'one' } }
  const metadata = { name: 'a', namespace: 'tailscale' }
  await at.bed.cluster.apply({ apiVersion: 'v1', kind: 'Event', metadata, ...event })
  expect(await complaints()).toEqual([expect.stringMatching(/^warning tun: \/dev\/net\/tun is missing on one, /)])
  await kubectl('delete', 'event', 'a', '--namespace=tailscale')
})

it('takes answers that are garbage for unknown', async () => {
  await at.bed.control.addApiFault({ path: '/tailnet/-/settings', status: 200, body: '<html>', times: 0 })
  expect(await complaints()).toEqual([expect.stringMatching(/^warning https: not known: .*cannot be used/)])
  await at.bed.control.removeApiFaults()
})

it('names what the service account may not do', async () => {
  const role = ['patch', 'role', 'operator', '--namespace=tailscale']
  await kubectl(...role, ...changed({ op: 'replace', path: '/rules/0/verbs', value: ['get', 'list', 'watch'] }))
  await expect
    .poll(() => complaints())
    .toEqual([
      expect.stringMatching(
        /^error rights: the service account may not: create\+patch\+delete\+update secrets in tailscale\. /,
      ),
    ])
  const verbs = ['get', 'list', 'watch', 'create', 'patch', 'update', 'delete']
  await kubectl(...role, ...changed({ op: 'replace', path: '/rules/0/verbs', value: verbs }))
  await expect.poll(() => complaints()).toEqual([])
})

it('names what a definition of another version lacks', async () => {
  const fields = '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties'
  const connectors = ['patch', 'crd', 'connectors.tailscale.com']
  await kubectl(...connectors, ...changed({ op: 'remove', path: `${fields}/tags` }))
  await expect
    .poll(() => complaints())
    .toEqual([expect.stringMatching(/^error definitions: connectors.tailscale.com lacks the fields spec\.tags, /)])
  await kubectl('delete', 'crd', 'recorders.tailscale.com')
  await expect
    .poll(() => complaints())
    .toEqual([
      expect.stringMatching(/^error definitions: connectors/),
      expect.stringMatching(/^error definitions: recorders.tailscale.com is not there in the version v1alpha1\. Apply/),
    ])
})

it('names nodes and addresses with which proxies have trouble, and a namespace that refuses them', async () => {
  await at.nodeIs({ operatingSystem: 'linux', architecture: 'amd64', kernelVersion: '4.18.0-553' }, '100.64.0.7')
  await kubectl('label', 'namespace', 'tailscale', '--overwrite', 'pod-security.kubernetes.io/enforce=baseline')
  const lines = await complaints()
  expect(lines).toContainEqual(expect.stringMatching(/^warning nodes: Linux before 5\.2 .*: one \(4\.18\.0-553\)/))
  expect(lines).toContainEqual(expect.stringMatching(/^warning overlap: .*: Node one \(100\.64\.0\.7\)\./))
  expect(lines).toContainEqual(
    expect.stringMatching(/^warning pod-security: .* level baseline.*kubectl label namespace/),
  )
})

it('tells that the API server refuses the operator, and goes on with the tailnet', async () => {
  const levels = new Map((await at.check(client, {}, 'wrong')).map(({ check, level }) => [check, level]))
  const known = { 'api-server': 'error', rights: 'warning', 'tailscale-api': 'ok', tags: 'ok' }
  expect(Object.fromEntries(levels)).toMatchObject(known)
})

it('tells that settings are not valid, and goes on with what needs none', async () => {
  const lines = await complaints({ PROXY_TAGS: 'k8s' })
  expect(lines).toContainEqual(expect.stringMatching(/^error settings: PROXY_TAGS="k8s" is not valid/))
  expect(lines).toContainEqual('warning rights: not known: the settings cannot be used')
  expect(lines.filter((line) => /api-server/.test(line))).toEqual([])
})
