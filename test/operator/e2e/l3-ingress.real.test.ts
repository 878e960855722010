import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { nodeAddresses, ways } from '../../e2e/cluster.ts'
import { ask, type Bed, startBed } from '../../lab/bed.ts'
import type { KubeObject } from '../../lab/cluster/kubectl.ts'
import { backendObjects } from '../../lab/cluster/proxy.ts'
import { buildImage, buildUpstreamImage, upstreamReference } from '../../lab/images/image.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { installOperator, namespace, OperatorProcess } from '../operator-process.ts'

let bed: Bed<'client'>
let operator: OperatorProcess
beforeAll(async () => {
  const hosts = { client: { network: 'wan', tailscaled: true } } as const
  const [image] = await Promise.all([
    buildImage(),
    startBed({ hosts, cluster: { nodes: 1 } }).then((started) => (bed = started)),
  ])
  const { cluster } = bed
  await Promise.all([
    cluster.importImage(image.archive),
    cluster.apply(...backendObjects('backend'), ...backendObjects('other')),
    installOperator(bed),
  ])
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
  readonly status: {
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[]
    readonly loadBalancer?: { readonly ingress?: readonly object[] }
  }
}
const serviceOf = (name: string) => bed.cluster.get<Service>('service', name)

/** Changes a Service as a user does; null removes. */
async function annotate(
  name: string,
  annotations: Readonly<Record<string, string | null>>,
  spec?: object,
): Promise<void> {
  const patch = JSON.stringify({ metadata: { annotations }, ...(spec !== undefined && { spec }) })
  await bed.cluster.kubectl(['patch', 'service', name, '--type=merge', `--patch=${patch}`])
}

/** What the condition says: `True`, or why not. */
async function ready(name: string): Promise<string | undefined> {
  const condition = (await serviceOf(name))?.status.conditions?.find(({ type }) => type === 'TailscaleProxyReady')
  return condition?.status === 'True' ? 'True' : condition?.message
}

/** Everybody reaches the backend through the node, by each protocol and family. */
async function reached(node: string, backend: string): Promise<void> {
  const to = await nodeAddresses(bed, node)
  for (const { family, protocol } of ways) {
    const once = () => ask(bed.host('client'), { to: to[family], protocol, patience: 5000 }).catch(String)
    await expect.poll(once).toMatchObject({ host: backend })
  }
}

async function made(): Promise<readonly string[]> {
  const kinds = 'services,secrets,serviceaccounts,roles,rolebindings,statefulsets,pods'
  const selector = '--selector=tailscale.com/managed=true'
  const { stdout } = await bed.cluster.kubectl(['get', kinds, `--namespace=${namespace}`, selector, '--output=name'])
  return stdout.split('\n').filter((line) => line !== '')
}

const nodesOf = async (): Promise<readonly string[]> =>
  (await bed.control.nodes()).map(({ name }) => name).filter((name) => name !== 'client')

/** Those with a description were not made by the bed. */
const operatorKeys = async () => (await bed.control.keys()).filter(({ description }) => description !== '')

/** Nothing is left in the cluster and in the tailnet. */
async function nothingLeft(): Promise<void> {
  await expect.poll(made).toEqual([])
  expect(await nodesOf()).toEqual([])
  expect((await operatorKeys()).filter(({ uses }) => uses === 0)).toEqual([])
}

test('an annotated Service is reachable from the tailnet by both families, and the Pod needs few privileges', async () => {
  await annotate('backend', { 'tailscale.com/expose': 'true', 'tailscale.com/hostname': 'app' })
  await expect.poll(() => ready('backend')).toBe('True')
  await reached('app', 'backend')
  expect(await bed.control.node('app')).toMatchObject({ tags: ['tag:k8s'] })
  const set = (await made()).find((name) => name.startsWith('statefulset'))!.split('/')[1]!
  // The key is used, and gone from the config.
  const secret = await bed.cluster.get<{ data: Record<string, string> }>('secret', `${set}-0`, namespace)
  expect(Buffer.from(secret?.data['cap-107.hujson'] ?? '', 'base64').toString()).not.toContain('AuthKey')
  expect(await operatorKeys()).toMatchObject([{ description: 'Service default backend', uses: 1, reusable: false }])
})

test('a Service that changes keeps its node: another hostname, and as a LoadBalancer', async () => {
  const { stableId } = await bed.control.node('app')
  await annotate('backend', { 'tailscale.com/hostname': 'renamed' })
  await expect.poll(async () => (await bed.control.nodes()).map(({ name }) => name)).toContain('renamed')
  expect((await bed.control.node('renamed')).stableId).toBe(stableId)
  await reached('renamed', 'backend')
  await annotate('backend', { 'tailscale.com/expose': null }, { type: 'LoadBalancer', loadBalancerClass: 'tailscale' })
  const { v4, v6 } = await nodeAddresses(bed, 'renamed')
  await expect
    .poll(async () => (await serviceOf('backend'))?.status.loadBalancer?.ingress)
    .toMatchObject([{ hostname: 'renamed.lab.ts.net' }, { ip: v4 }, { ip: v6 }])
  expect((await bed.control.node('renamed')).stableId).toBe(stableId)
})

test('without privileges, the same node serves the same ports', async () => {
  const { stableId } = await bed.control.node('renamed')
  await annotate('backend', { 'culvert/unprivileged': 'true' })
  const modes = async (): Promise<readonly unknown[]> => {
    const pods = await bed.cluster.list<{ spec: { securityContext: { runAsNonRoot?: boolean } } }>('pods', namespace)
    return pods.map(({ spec }) => spec.securityContext.runAsNonRoot)
  }
  await expect.poll(modes).toEqual([true])
  await expect.poll(() => ready('backend')).toBe('True')
  await reached('renamed', 'backend')
  expect((await bed.control.node('renamed')).stableId).toBe(stableId)
})

test('a headless Service is reached by the addresses of its Pods, at their ports', async () => {
  const headless = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'headless',
      namespace: 'default',
      annotations: { 'tailscale.com/expose': 'true', 'tailscale.com/hostname': 'headless' },
    },
    spec: {
      clusterIP: 'None',
      selector: { app: 'other' },
      ipFamilyPolicy: 'RequireDualStack',
      ports: [{ port: 7001, targetPort: 7000 }],
    },
  }
  await bed.cluster.apply(headless)
  await expect.poll(() => ready('headless')).toBe('True')
  const to = await nodeAddresses(bed, 'headless')
  for (const family of ['v4', 'v6'] as const) {
    const question = { to: to[family], port: 7001, protocol: 'tcp', patience: 5000 } as const
    await expect.poll(() => ask(bed.host('client'), question).catch(String)).toMatchObject({ host: 'other' })
  }
})

test('it is told why Pods are refused, until they are not', async () => {
  const metadata = { name: 'none', namespace }
  await bed.cluster.apply({ apiVersion: 'v1', kind: 'ResourceQuota', metadata, spec: { hard: { pods: '2' } } })
  await annotate('other', { 'tailscale.com/expose': 'true' })
  await expect.poll(() => ready('other')).toContain('exceeded quota: none')
  await bed.cluster.kubectl(['delete', 'resourcequota', 'none', `--namespace=${namespace}`])
  await expect.poll(() => ready('other')).toBe('True')
})

test('a class with Tailscale’s agent has it forward, and says what that does not do', async () => {
  const { archive } = await buildUpstreamImage()
  await bed.cluster.importImage(archive)
  const container = { image: upstreamReference, imagePullPolicy: 'IfNotPresent' }
  await bed.cluster.apply({
    apiVersion: 'tailscale.com/v1alpha1',
    kind: 'ProxyClass',
    metadata: { name: 'upstream', annotations: { 'culvert/agent': 'upstream' } },
    spec: { statefulSet: { pod: { tailscaleContainer: container, tailscaleInitContainer: container } } },
  })
  await annotate('other', { 'tailscale.com/proxy-class': 'upstream', 'culvert/proxy-protocol': '2' })
  await expect.poll(() => ready('other')).toContain('annotation culvert/proxy-protocol needs Culvert’s agent')
  await annotate('other', { 'culvert/proxy-protocol': null })
  const images = async () =>
    (await bed.cluster.list<{ spec: { containers: { image: string }[] } }>('pods', namespace)).map(
      ({ spec }) => spec.containers[0]!.image,
    )
  await expect.poll(images).toContain(upstreamReference)
  await expect.poll(() => ready('other')).toBe('True')
  const { v4 } = await nodeAddresses(bed, 'default-other')
  for (const protocol of ['tcp', 'udp'] as const) {
    const once = () => ask(bed.host('client'), { to: v4, protocol, patience: 5000 }).catch(String)
    await expect.poll(once).toMatchObject({ host: 'other' })
  }
})

test('nothing is left of a Service that is deleted, moved to a group, or not exposed any more', async () => {
  await bed.cluster.kubectl(['delete', 'service', 'headless'])
  await annotate('backend', { 'tailscale.com/proxy-group': 'group' })
  await annotate('other', { 'tailscale.com/expose': null })
  await nothingLeft()
  for (const name of ['backend', 'other']) {
    const { metadata, status } = (await serviceOf(name))!
    expect([metadata['finalizers'], status.conditions, status.loadBalancer]).toEqual([undefined, undefined, {}])
  }
  expect(operator.errors).toEqual([])
})
