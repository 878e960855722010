import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { groupObjects } from '../lab/cluster/group.ts'
import { backendObjects, deviceConfig, proxyBase, proxyNamespace, proxyObjects } from '../lab/cluster/proxy.ts'
import { agentReference, buildImage } from '../lab/images/image.ts'
import { patience } from '../lab/patience.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { nodeAddresses, ProxyPod, reachAll, serviceAddresses } from './cluster.ts'

let bed: Bed<'client'>
let proxy: ProxyPod
let identity: string
beforeAll(async () => {
  const [image] = await Promise.all([
    buildImage(),
    startBed({ hosts: { client: { network: 'wan', tailscaled: true } }, cluster: { nodes: 2 } }).then(
      (started) => (bed = started),
    ),
  ])
  const { cluster } = bed
  await Promise.all([cluster.importImage(image.archive), cluster.apply(...backendObjects('backend'), ...proxyBase())])
  const backend = await serviceAddresses(cluster, 'backend')
  const often = { periodSeconds: 1, timeoutSeconds: 3 }
  const live = { exec: { command: ['culvert', 'live'] }, periodSeconds: 1, timeoutSeconds: 10 }
  await cluster.apply(
    ...proxyObjects({
      name: 'proxy',
      image: image.reference,
      authKey: await bed.authKey(),
      env: {
        TS_DEST_IP: `${backend.v4},${backend.v6}`,
        TS_ENABLE_HEALTH_CHECK: 'true',
        CULVERT_TEST_SHORT_WAITS: 'true',
      },
      container: {
        // One probe of each kind. The startup probe keeps a slow start from being taken for a hang; an agent that hangs
        // cannot stop in order, so it needs no grace period. Probes that are late for want of CPU time must not end it.
        startupProbe: { ...live, failureThreshold: 180 },
        livenessProbe: { ...live, failureThreshold: 3, terminationGracePeriodSeconds: 1 },
        readinessProbe: { httpGet: { path: '/readyz', port: 9002 }, ...often, failureThreshold: 1 },
      },
    }),
  )
  proxy = new ProxyPod(cluster, 'proxy-0')
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

/** Waits until it is ready again as the same node, the only one of its name, and traffic flows. */
async function backAsTheSame(): Promise<void> {
  await proxy.ready()
  await reachAll(bed, 'proxy-0')
  expect((await proxy.secret())['device_id']).toBe(identity)
  expect((await bed.control.nodes()).filter(({ name }) => name.startsWith('proxy'))).toHaveLength(1)
}

test('a Pod as an operator creates it becomes ready, and the tailnet reaches the Service behind it', async () => {
  await proxy.ready()
  await reachAll(bed, 'proxy-0')
  const node = await bed.control.node('proxy-0')
  identity = node.stableId
  const pod = (await proxy.pod())!
  expect(await proxy.secret()).toMatchObject({
    device_id: identity,
    device_fqdn: 'proxy-0.lab.ts.net.',
    device_ips: JSON.stringify(node.addresses),
    pod_uid: pod.metadata.uid,
    tailscale_capver: '142',
  })
  expect((await proxy.exec('culvert', 'ready', '--verbose')).stdout).toMatch(/^\[\+\]forwarding ok$/m)
  expect(await proxy.restarts()).toBe(0)
})

test('the operator’s next config is followed in the running Pod', async () => {
  const config = Buffer.from(deviceConfig('renamed')).toString('base64')
  const patch = JSON.stringify({ data: { 'cap-107.hujson': config } })
  await bed.cluster.kubectl(['patch', 'secret', 'proxy-0', `--namespace=${proxyNamespace}`, `--patch=${patch}`])
  await expect.poll(async () => (await proxy.secret())['device_fqdn']).toBe('renamed.lab.ts.net.')
  const back = JSON.stringify({ data: { 'cap-107.hujson': Buffer.from(deviceConfig('proxy-0')).toString('base64') } })
  await bed.cluster.kubectl(['patch', 'secret', 'proxy-0', `--namespace=${proxyNamespace}`, `--patch=${back}`])
  await expect.poll(async () => (await proxy.secret())['device_fqdn']).toBe('proxy-0.lab.ts.net.')
  expect(await proxy.restarts()).toBe(0)
})

test('kubelet’s probes notice a hang: unready while tailscaled hangs, restarted when the agent does', async () => {
  await proxy.exec('sh', '-c', 'kill -STOP $(pidof tailscaled)')
  await proxy.ready('False')
  const stdout = expect.stringMatching(/tailscaled does not answer/)
  await expect.poll(() => proxy.exec('culvert', 'ready')).toMatchObject({ exitCode: 1, stdout })
  await proxy.exec('sh', '-c', 'kill -CONT $(pidof tailscaled)')
  await proxy.ready()
  expect(await proxy.restarts()).toBe(0)

  await proxy.exec('sh', '-c', 'kill -STOP $(pidof node)')
  await expect.poll(() => proxy.restarts()).toBe(1)
  await backAsTheSame()
})

test('a container that is killed restarts as the same node', async () => {
  const before = await proxy.restarts()
  // As the OOM killer does.
  await proxy.exec('sh', '-c', 'kill -KILL $(pidof node) $(pidof tailscaled)')
  await expect.poll(() => proxy.restarts()).toBe(before + 1)
  await backAsTheSame()
})

test('a restart of kubelet interrupts nothing', async () => {
  const before = await proxy.restarts()
  const kubelet = bed.cluster.component(`${(await proxy.pod())!.spec.nodeName}.kubelet`)
  await kubelet.stop()
  await reachAll(bed, 'proxy-0')
  await kubelet.start()
  await backAsTheSame()
  expect(await proxy.restarts()).toBe(before)
})

test('a deleted Pod returns as the same node', async () => {
  const { uid } = (await proxy.pod())!.metadata
  await bed.cluster.kubectl(['delete', 'pod', 'proxy-0', `--namespace=${proxyNamespace}`, '--wait=false'])
  await expect.poll(async () => (await proxy.pod())?.metadata.uid).not.toBe(uid)
  await backAsTheSame()
  expect((await proxy.secret())['pod_uid']).toBe((await proxy.pod())!.metadata.uid)
})

test('a Pod whose node is drained moves and stays the same node', async () => {
  const from = (await proxy.pod())!.spec.nodeName!
  // The backend has no controller that would create it again.
  const only = `--pod-selector=app=proxy`
  await bed.cluster.kubectl(['drain', from, only, '--ignore-daemonsets', `--timeout=${patience / 1000}s`])
  await expect.poll(async () => (await proxy.pod())?.spec.nodeName).not.toBe(from)
  await backAsTheSame()
  await bed.cluster.kubectl(['uncordon', from])
})

test('no packet is lost while the API server is away', async () => {
  const server = bed.cluster.component('kube-apiserver')
  const { v4 } = await nodeAddresses(bed, 'proxy-0')
  await server.kill()
  await reachAll(bed, 'proxy-0')
  await server.start()
  expect(v4).not.toBe('')
  await backAsTheSame()
})

test('a replica of a ProxyGroup, with config and state in two Secrets, runs unchanged', async () => {
  const { cluster } = bed
  const authKey = await bed.authKey()
  await cluster.apply(...groupObjects({ name: 'group', image: agentReference, authKey, replicas: 1 }))
  const replica = new ProxyPod(cluster, 'group-0')
  await expect.poll(async () => (await replica.secret())['device_fqdn']).toBe('group-0.lab.ts.net.')
  await expect.poll(() => replica.exec('culvert', 'ready')).toMatchObject({ exitCode: 0 })
  await expect
    .poll(async () => Object.keys(await replica.secret()).toSorted())
    .toEqual([
      '_current-profile',
      '_machinekey',
      '_profiles',
      'device_fqdn',
      'device_id',
      'device_ips',
      'pod_uid',
      expect.stringMatching(/^profile-/),
      'tailscale_capver',
    ])
  expect(await replica.restarts()).toBe(0)
  expect(await bed.control.node('group-0')).toMatchObject({ online: true })
})
