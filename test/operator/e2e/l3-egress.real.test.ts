import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { ways } from '../../e2e/cluster.ts'
import { ask, type Bed, type Host, startBed, startEcho } from '../../lab/bed.ts'
import type { KubeObject } from '../../lab/cluster/kubectl.ts'
import { backendObjects } from '../../lab/cluster/proxy.ts'
import { buildImage } from '../../lab/images/image.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { installOperator, namespace, OperatorProcess } from '../operator-process.ts'

/** An address behind the router, as 4via6 has it: 192.0.2.7 at site 7. */
const via = 'fd7a:115c:a1e0:b1a:0:7:c000:207'
const hosts = {
  warehouse: { network: 'wan', tailscaled: true },
  office: { network: 'wan', tailscaled: true },
  router: { network: 'wan', tailscaled: { up: [`--advertise-routes=${via}/128,192.0.2.7/32`] } },
} as const

let bed: Bed<keyof typeof hosts>
let operator: OperatorProcess
/** Pods of two namespaces. */
let clients: readonly Host[]
beforeAll(async () => {
  const [image] = await Promise.all([
    buildImage(),
    startBed({ hosts, cluster: { nodes: 1 } }).then((started) => (bed = started)),
  ])
  const { cluster, control } = bed
  const other = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other' } }
  await Promise.all([
    cluster.importImage(image.archive),
    cluster.apply(other, ...backendObjects('client'), ...backendObjects('client', 'other')),
    control.patchNode('router', { routes: [`${via}/128`, '192.0.2.7/32'] }),
    ...(['warehouse', 'office', 'router'] as const).map((name) => startEcho(bed.host(name))),
    bed.host('router').exec(['ip', 'address', 'add', '192.0.2.7', 'dev', 'lo']),
    installOperator(bed),
  ])
  await Promise.all(['default', 'other'].map((where) => cluster.wait('pod/client', 'Ready', { namespace: where })))
  clients = await Promise.all(['default', 'other'].map((where) => cluster.pod('client', where)))
  operator = await OperatorProcess.start(bed, { PROXY_IMAGE: image.reference })
})
afterAll(async () => {
  await operator.stop()
  await bed.down()
})
beforeEach(() => {
  printLogsOnFailure(bed)
  onTestFailed(() => console.error(operator.logged.join('\n')))
})

type Service = KubeObject & {
  readonly spec: { readonly type: string; readonly externalName?: string }
  readonly status: {
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[]
  }
}
const serviceOf = async (): Promise<Service> => (await bed.cluster.get<Service>('service', 'target'))!

async function annotate(annotations: Readonly<Record<string, string | null>>): Promise<void> {
  const patch = JSON.stringify({ metadata: { annotations } })
  await bed.cluster.kubectl(['patch', 'service', 'target', '--type=merge', `--patch=${patch}`])
}

/** What the condition says: `True`, or why not. */
async function ready(): Promise<string | undefined> {
  const condition = (await serviceOf()).status.conditions?.find(({ type }) => type === 'TailscaleProxyReady')
  return condition?.status === 'True' ? 'True' : condition?.message
}

/** The addresses to which the cluster's DNS resolves the Service, asked from a Pod of a namespace. */
async function resolved(from: string): Promise<readonly string[]> {
  const command = ['nslookup', 'target.default.svc.cluster.local']
  const exec = ['exec', 'client', `--namespace=${from}`, '--', ...command]
  const { stdout } = await bed.cluster.kubectl(exec, { check: false })
  const answer = stdout.split('\n\n').slice(1).join('\n')
  return [...answer.matchAll(/^Address(?: \d+)?: *(\S+)/gm)].map(([, address = '']) => address)
}

/** Pods of all namespaces reach the host of the tailnet by the Service's name. */
async function reached(host: string, some: Partial<(typeof ways)[number]> = {}): Promise<void> {
  for (const from of ['default', 'other']) await expect.poll(() => resolved(from)).toHaveLength(2)
  const addresses = await resolved('default')
  for (const client of clients) {
    for (const { family, protocol } of waysOf(some)) {
      const to = addresses.find((one) => one.includes(':') === (family === 'v6'))!
      await expect
        .poll(() => ask(client, { to, protocol, patience: 5000 }).catch(String), { message: `${protocol} ${to}` })
        .toMatchObject({ host })
    }
  }
}

const waysOf = ({ family: of, protocol: by }: Partial<(typeof ways)[number]>) =>
  ways.filter(({ family, protocol }) => (of ?? family) === family && (by ?? protocol) === protocol)

async function made(kinds = 'services,secrets,serviceaccounts,roles,rolebindings,statefulsets,pods,networkpolicies') {
  const selector = '--selector=tailscale.com/managed=true'
  const { stdout } = await bed.cluster.kubectl(['get', kinds, `--namespace=${namespace}`, selector, '--output=name'])
  return stdout.split('\n').filter((line) => line !== '')
}
const proxyNodes = async (): Promise<readonly string[]> =>
  (await bed.control.nodes()).map(({ name }) => name).filter((name) => !Object.hasOwn(hosts, name))

const fqdn = 'tailscale.com/tailnet-fqdn'
const ip = 'tailscale.com/tailnet-ip'

test('Pods of every namespace reach a node of the tailnet by the name of a Service, in both families', async () => {
  const [service] = backendObjects('target')
  await bed.cluster.apply(service!)
  await annotate({ [fqdn]: 'warehouse.lab.ts.net', 'tailscale.com/hostname': 'egress' })
  await expect.poll(ready).toBe('True')
  expect(await serviceOf()).toMatchObject({
    spec: {
      type: 'ExternalName',
      externalName: expect.stringMatching(/^ts-target-\w+\.tailscale\.svc\.cluster\.local$/),
    },
  })
  await reached('warehouse')
  expect(await bed.control.node('egress')).toMatchObject({ tags: ['tag:k8s'] })
})

test('two targets are refused, and the first goes on', async () => {
  await annotate({ [ip]: '100.64.0.1' })
  await expect.poll(ready).toContain('a Service has one target')
  await reached('warehouse')
  const events = await bed.cluster.list<{ reason: string; message: string }>('events', 'default')
  expect(events.find(({ reason }) => reason === 'INVALIDSERVICE')?.message).toContain('Remove one of the annotations')
})

test('the target can be an address, and the node stays', async () => {
  const { stableId } = await bed.control.node('egress')
  const { addresses } = await bed.control.node('office')
  const address = (colon: boolean): string => addresses.find((one) => one.includes(':') === colon)!
  await annotate({ [fqdn]: null, [ip]: address(false) })
  await expect.poll(ready).toBe('True')
  await reached('office', { family: 'v4' })
  await annotate({ [ip]: address(true) })
  await expect.poll(ready).toBe('True')
  await reached('office', { family: 'v6' })
  expect((await bed.control.node('egress')).stableId).toBe(stableId)
})

// The echo server answers datagrams from another address than the one that was asked.
test('the target can be behind a subnet router, by 4via6 and by its own address', async () => {
  await annotate({ [ip]: null, [fqdn]: '192-0-2-7-via-7.lab.ts.net' })
  await expect.poll(ready).toBe('True')
  await reached('router', { family: 'v6', protocol: 'tcp' })
  await annotate({ [fqdn]: null, [ip]: '192.0.2.7' })
  await expect.poll(ready).toBe('True')
  await reached('router', { family: 'v4', protocol: 'tcp' })
})

test('a target that is missing is waited for', async () => {
  await annotate({ [ip]: null, [fqdn]: 'late.lab.ts.net' })
  await expect.poll(ready).toContain('does not forward to the target yet')
  await bed.control.createNode('late')
  await expect.poll(ready).toBe('True')
})

test('a NetworkPolicy says who may use the proxy, if that is asked for', async () => {
  await annotate({ 'culvert/allow-from': '[default, other]' })
  await expect.poll(() => made('networkpolicies')).toHaveLength(1)
  const [pod] = await bed.cluster.list('pods', namespace)
  const [policy] = await bed.cluster.list<KubeObject & { spec: { podSelector: { matchLabels: object } } }>(
    'networkpolicies',
    namespace,
  )
  expect(pod?.metadata['labels']).toMatchObject(policy!.spec.podSelector.matchLabels)
  await annotate({ 'culvert/allow-from': null })
  await expect.poll(() => made('networkpolicies')).toEqual([])
})

test('a Service that names no target any more is what it was, and nothing is left', async () => {
  await annotate({ [fqdn]: null })
  await expect.poll(() => made()).toEqual([])
  expect(await proxyNodes()).toEqual(['late'])
  const { metadata, spec, status } = await serviceOf()
  expect(metadata['annotations']).toEqual({ 'tailscale.com/hostname': 'egress' })
  expect([metadata['finalizers'], status.conditions]).toEqual([undefined, undefined])
  const {
    clusterIP: _one,
    clusterIPs: _all,
    ...before
  } = (backendObjects('target')[0]!['spec'] ?? {}) as Record<string, unknown>
  expect(spec).toMatchObject({ ...before, type: 'ClusterIP' })
  expect(operator.errors).toEqual([])
})
