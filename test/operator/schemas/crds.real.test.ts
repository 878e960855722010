import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { definitions } from '../../../operator/schemas/all.ts'
import { type Bed, startBed } from '../../lab/bed.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { examples, refused } from './examples.ts'

let bed: Bed
beforeAll(async () => {
  bed = await startBed({ hosts: {}, cluster: { nodes: 0 } })
  await bed.cluster.kubectl(['apply', `--filename=${join(import.meta.dirname, '../../../operator/crds')}`])
  const crds = definitions.map(({ resource }) => `crd/${resource.plural}.${resource.group}`)
  await bed.cluster.kubectl(['wait', ...crds, '--for=condition=Established', '--timeout=300s'])
  const file = join(import.meta.dirname, 'examples.yaml')
  await bed.cluster.kubectl(['apply', '--validate=strict', `--filename=${file}`])
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

const dryRun = (object: object) =>
  bed.cluster.kubectl(['apply', '--server-side', '--dry-run=server', '--validate=strict', '--filename=-'], {
    input: JSON.stringify(object),
    check: false,
  })
const made = (kind: string, spec: object, name = 'a') => ({
  apiVersion: 'tailscale.com/v1alpha1',
  kind,
  metadata: { name, ...(kind === 'ProxyGroupPolicy' && { namespace: 'default' }) },
  spec,
})
const setStatus = async (kind: string, name: string, status: object): Promise<void> => {
  const patch = JSON.stringify({ status })
  await bed.cluster.kubectl(['patch', kind, name, '--subresource=status', '--type=merge', `--patch=${patch}`])
}
const condition = (type: string, reason: string) => ({
  type,
  reason,
  status: 'True',
  message: '',
  lastTransitionTime: '2026-01-01T00:00:00Z',
})
/** What `kubectl get` shows, one line an object; ages are left out. */
const shown = async (kinds: string): Promise<string[]> => {
  const { stdout } = await bed.cluster.kubectl(['get', kinds])
  return stdout.split('\n').map((line) =>
    line
      .replaceAll(/\s+/g, ' ')
      .replace(/\b\d+[smh](\d+s)?\b/, 'AGE')
      .trim(),
  )
}

test.each(examples().map((object) => [`${object.kind} ${object.metadata.name}`, object] as const))(
  'the API keeps all of the example %s',
  async (_name, { kind, metadata: { name, namespace }, spec }) => {
    const kept = await bed.cluster.get(kind, name, namespace)
    expect(kept?.['spec']).toEqual(name === 'plain' ? { replicas: 1 } : spec)
  },
)

test.each(refused)('the API refuses %s %j with the reason', async (kind, spec, reason) => {
  expect((await dryRun(made(kind, spec))).stderr).toContain(reason)
})

test.each([
  ['Connector', { exitNode: true, hostName: 'a' }, 'spec.hostName'],
  ['ProxyClass', { statefulSet: { pods: {} } }, 'spec.statefulSet.pods'],
  ['ProxyGroupPolicy', { engress: [] }, 'spec.engress'],
])('a misspelt field of a %s is not ignored: %j', async (kind, spec, field) => {
  expect((await dryRun(made(kind, spec))).stderr).toContain(`${field}: field not declared in schema`)
})

test.each(['10.0.0.0/33', '10.0.0.0', 'office'])('%s is no route', async (route) => {
  const { stderr } = await dryRun(made('Connector', { subnetRouter: { advertiseRoutes: [route] } }))
  expect(stderr).toContain('spec.subnetRouter.advertiseRoutes[0]')
})

test('what must not change cannot be changed', async () => {
  const changes = [
    made('Connector', { appConnector: {}, tailnet: 'third' }, 'apps'),
    made('ProxyGroup', { type: 'ingress' }, 'out'),
    made('PeerRelay', { tailnet: 'third' }, 'relays'),
  ]
  const forced = ['apply', '--server-side', '--force-conflicts', '--dry-run=server', '--filename=-']
  const told = []
  for (const change of changes)
    told.push((await bed.cluster.kubectl(forced, { input: JSON.stringify(change), check: false })).stderr)
  expect(told.map((text) => /\w+ of a \w+ cannot be changed/.exec(text)?.[0])).toEqual([
    'tailnet of a Connector cannot be changed',
    'type of a ProxyGroup cannot be changed',
    'tailnet of a PeerRelay cannot be changed',
  ])
})

test('kubectl get shows how objects stand, by their short names', async () => {
  await setStatus('cn', 'offices', {
    conditions: [condition('ConnectorReady', 'ConnectorCreated')],
    subnetRoutes: '10.40.0.0/14',
    isExitNode: true,
    isAppConnector: false,
    devices: [{ hostname: 'office-0.example.ts.net', tailnetIPs: ['100.64.0.1'] }],
  })
  await setStatus('pr', 'relays', {
    conditions: [condition('PeerRelayReady', 'PeerRelayReady')],
    endpoints: [
      { replica: 0, address: '203.0.113.7', port: 3478 },
      { replica: 0, address: '2001:db8::7', port: 3478 },
    ],
  })
  await setStatus('pg', 'kube', { conditions: [condition('ProxyGroupReady', 'ProxyGroupReady')], url: 'https://k' })
  await setStatus('dc', 'ts-dns', { nameserver: { ip: '10.96.0.53' } })
  await setStatus('proxyclass', 'prod', { conditions: [condition('ProxyClassReady', 'ProxyClassValid')] })
  await setStatus('tn', 'second', { conditions: [condition('TailnetReady', 'TailnetValid')] })
  await setStatus('rec', 'tapes', { devices: [{ hostname: 'tapes-0', url: 'https://tapes-0.example.ts.net' }] })
  const kinds = ['cn', 'dc', 'pr', 'proxyclasses', 'pg', 'pgp', 'rec', 'tn']
  const lines = []
  for (const kind of kinds) lines.push(...(await shown(kind)))
  expect(lines).toEqual([
    'NAME SUBNETROUTES ISEXITNODE ISAPPCONNECTOR STATUS AGE',
    'any-apps AGE',
    'apps AGE',
    'offices 10.40.0.0/14 true false ConnectorCreated AGE',
    'NAME NAMESERVERIP AGE',
    'ts-dns 10.96.0.53 AGE',
    'NAME AGE STATUS ENDPOINTS',
    'plain AGE',
    'relays AGE PeerRelayReady 203.0.113.7',
    'NAME STATUS AGE',
    'nothing AGE',
    'prod ProxyClassValid AGE',
    'NAME STATUS URL TYPE AGE',
    'kube ProxyGroupReady https://k kube-apiserver AGE',
    'out egress AGE',
    'NAME AGE',
    'team-a AGE',
    'NAME STATUS URL AGE',
    'tapes https://tapes-0.example.ts.net AGE',
    'NAME AGE STATUS',
    'second AGE TailnetValid',
  ])
})

test('kubectl explain has the meaning of fields', async () => {
  // The API server publishes it a moment after the kind.
  const explained = async () =>
    (await bed.cluster.kubectl(['explain', 'proxyclass.spec.statefulSet.template'])).stdout.replaceAll(/\s+/g, ' ')
  await expect.poll(explained).toContain('merged into that of the proxies')
})

test('a status is no part of the spec: writing one leaves the other', async () => {
  await bed.cluster.kubectl(['patch', 'tn', 'second', '--type=merge', '--patch={"status":{"conditions":[]}}'])
  expect((await bed.cluster.get('tailnet', 'second'))?.['status']).toMatchObject({
    conditions: [{ reason: 'TailnetValid' }],
  })
})
