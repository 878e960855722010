import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { ask, startBed, startEcho, startTraffic, type Bed, type Host } from '../bed.ts'
import { noEntries, printLogsOnFailure } from '../vitest.ts'
import { Addresses, apiUrl } from './addresses.ts'
import { toolsImage } from './images.ts'
import type { Pod } from './pods.ts'

const hosts = { client: { network: 'wan' }, neighbour: { network: 'cluster' } } as const

const pod = (name: string, node: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', labels: { app: name } },
  spec: {
    nodeName: node,
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'main', image: toolsImage, command: ['echo-server', name, '7000'], ...more }],
  },
})

const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'two', namespace: 'default' },
  spec: {
    selector: { app: 'two' },
    ipFamilyPolicy: 'RequireDualStack',
    ports: ['TCP', 'UDP'].map((protocol) => ({ name: protocol.toLowerCase(), port: 80, targetPort: 7000, protocol })),
  },
}

let bed: Bed<keyof typeof hosts>
let one: Host
let two: Host
let serviceAddress: { readonly v4: string; readonly v6: string }
beforeAll(async () => {
  bed = await startBed({ hosts, cluster: { nodes: 2 } })
  const { cluster } = bed
  await cluster.apply(pod('one', 'node1'), pod('two', 'node2'), service)
  await Promise.all([cluster.wait('pod/one', 'Ready'), cluster.wait('pod/two', 'Ready'), startEcho(bed.host('client'))])
  ;[one, two] = await Promise.all([cluster.pod('one'), cluster.pod('two')])
  const made = await cluster.get<{ spec: { clusterIPs: [string, string] } }>('service', 'two')
  serviceAddress = { v4: made!.spec.clusterIPs[0], v6: made!.spec.clusterIPs[1] }
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

const ways = (['v4', 'v6'] as const).flatMap((family) =>
  (['tcp', 'udp'] as const).map((protocol) => ({ family, protocol })),
)

const inPod = async (name: string, ...command: string[]): Promise<string> =>
  (await bed.cluster.kubectl(['exec', name, '--', ...command])).stdout

test.each(ways)('Pods of two nodes reach each other without NAT: $protocol $family', async ({ family, protocol }) => {
  const answer = await ask(one, { to: two.address[family]!, protocol })
  expect(answer).toMatchObject({ host: 'two', peer: one.address[family] })
})

test.each(ways)('a Service reaches its Pod: $protocol $family', async ({ family, protocol }) => {
  const target = { to: serviceAddress[family], port: 80, protocol, patience: 5000 }
  // Each kube-proxy hears of the Pod a moment after it is ready.
  const asked = (from: Host) => expect.poll(() => ask(from, target).catch(String))
  await asked(one).toMatchObject({ host: 'two', peer: one.address[family] })
  // Also for a host beside the cluster, which is seen as a node.
  await asked(bed.host('neighbour')).toMatchObject({ host: 'two' })
  await asked(two).toMatchObject({ host: 'two' })
})

test.each(ways)(
  'Pods reach the outside through NAT, and cannot be reached from there: $protocol $family',
  async ({ family, protocol }) => {
    const client = bed.host('client')
    const answer = await ask(one, { to: client.address[family]!, protocol })
    expect(answer).toMatchObject({ host: 'client', peer: family === 'v4' ? '10.99.0.1' : 'fd99::1' })
    for (const to of [one.address[family]!, serviceAddress[family]]) {
      await expect(ask(client, { to, port: 7000, protocol })).rejects.toThrow(/ECONNREFUSED|EHOSTUNREACH|EACCES/)
    }
  },
)

test('names of Services and of the outside resolve in a Pod', async () => {
  await bed.control.putUnderlay({ records: [{ name: 'world.test', type: 'A', value: '10.99.0.10' }] })
  const names = () => inPod('one', 'nslookup', 'two.default.svc.cluster.local')
  for (const address of Object.values(serviceAddress)) await expect.poll(names).toContain(address)
  await expect.poll(() => inPod('one', 'nslookup', '-type=a', 'world.test')).toContain('10.99.0.10')
})

test('Pods reach the API server, by its Service and by both of its addresses', async () => {
  const answers = join(import.meta.dirname, 'programs/answers.ts')
  for (const url of [`https://${new Addresses().apiService.v4}`, apiUrl.v4, apiUrl.v6]) {
    await one.exec([process.execPath, answers, `${url}/readyz`])
  }
})

test('a Pod may have what the agent needs: forwarding, NET_ADMIN and the TUN device', async () => {
  const { cluster } = bed
  const forwarding = ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding']
  const sysctls = forwarding.map((name) => ({ name, value: '1' }))
  const wanted = pod('proxy', 'node1', {
    command: ['sh', '-c', 'exec 3<>/dev/net/tun && ip address add 192.0.2.9/32 dev lo && exec sleep 86400'],
    securityContext: { capabilities: { add: ['NET_ADMIN'] } },
    volumeMounts: [{ name: 'tun', mountPath: '/dev/net/tun' }],
    readinessProbe: { exec: { command: ['ping', '-c', '1', '192.0.2.9'] }, periodSeconds: 1 },
  })
  await cluster.apply({
    ...wanted,
    spec: {
      ...wanted.spec,
      initContainers: [
        {
          name: 'sysctler',
          image: toolsImage,
          command: ['sysctl', '-w', ...forwarding.map((name) => `${name}=1`)],
          securityContext: { privileged: true },
        },
      ],
      volumes: [{ name: 'tun', hostPath: { path: '/dev/net/tun', type: 'CharDevice' } }],
    },
  })
  await cluster.wait('pod/proxy', 'Ready')
  expect(await inPod('proxy', 'sysctl', '-n', ...forwarding)).toBe('1\n1')
  // Not in this way, which kubelet allows by its configuration only.
  const bare = { ...pod('bare', 'node1'), spec: { ...pod('bare', 'node1').spec, securityContext: { sysctls } } }
  await cluster.apply(bare)
  await expect
    .poll(async () => (await cluster.get('pod', 'bare'))?.['status'])
    .toMatchObject({ phase: 'Failed', reason: 'SysctlForbidden' })
  const restricted = { 'pod-security.kubernetes.io/enforce': 'restricted' }
  await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'strict', labels: restricted } })
  const refused = cluster.apply({ ...pod('free', 'node1'), metadata: { name: 'free', namespace: 'strict' } })
  await expect(refused).rejects.toThrow(/violates PodSecurity "restricted/)
})

test('a mounted Secret is updated within seconds', async () => {
  const { cluster } = bed
  const secret = (text: string) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'shown', namespace: 'default' },
    stringData: { text },
  })
  const shown = pod('shown', 'node2', { volumeMounts: [{ name: 'shown', mountPath: '/shown' }] })
  const volumes = [{ name: 'shown', secret: { secretName: 'shown' } }]
  await cluster.apply(secret('first'), { ...shown, spec: { ...shown.spec, volumes } })
  await cluster.wait('pod/shown', 'Ready')
  expect(await inPod('shown', 'cat', '/shown/text')).toBe('first')
  await cluster.apply(secret('second'))
  await expect.poll(() => inPod('shown', 'cat', '/shown/text')).toBe('second')
})

test('a daemon can be killed and started again: Pods and packets go on, objects stay', async () => {
  const { cluster } = bed
  const before = await cluster.get<Pod>('pod', 'two')
  const traffic = await startTraffic(one, { to: serviceAddress.v4, port: 80, protocol: 'tcp', mode: 'connect' })
  for (const name of ['kube-apiserver', 'node2.kubelet', 'node2.containerd', 'node2.kube-proxy']) {
    const component = cluster.component(name)
    await component.kill()
    expect(component.running).toBe(false)
    await component.start()
  }
  await cluster.ready()
  expect(await traffic.stop()).toMatchObject({ lost: 0, errors: noEntries, answeredBy: { two: expect.any(Number) } })
  // The nodes may be thought ready still, as they were before.
  await expect.poll(() => inPod('two', 'hostname')).toBe('two')
  await expect
    .poll(() => cluster.get<Pod>('pod', 'two'))
    .toMatchObject({
      metadata: { uid: before?.metadata.uid },
      status: { containerStatuses: [{ ready: true, restartCount: 0 }] },
    })
  expect(await cluster.podLogs('two')).toBe('ready')
})

test('events show what happened, and why a Pod is not ready', async () => {
  const { cluster } = bed
  await cluster.apply(pod('broken', 'node1', { image: 'lab.test/absent:1', imagePullPolicy: 'Never' }))
  await expect
    .poll(() => cluster.unready(5))
    .toMatch(/^default\/broken: Pending on node1\n[^]*container main: waiting \(ErrImageNeverPull/m)
  await expect
    .poll(() => cluster.events())
    .toContainEqual(
      expect.objectContaining({ about: 'default/pod/broken', what: expect.stringContaining('ErrImageNeverPull') }),
    )
  expect(await bed.tails()).toContain('ErrImageNeverPull')
})
