import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Visit } from '../agent/programs/visit.ts'
import { Unpacked } from '../images/unpacked.ts'
import { type Bed, startBed } from '../lab/bed.ts'
import type { KubeObject } from '../lab/cluster/cluster.ts'
import { authorityObjects, siteObjects } from '../lab/cluster/ingress.ts'
import { deviceConfig, proxyBase, proxyNamespace, workload } from '../lab/cluster/proxy.ts'
import { agentReference, buildImage } from '../lab/images/image.ts'
import { cpuOf } from '../lab/namespaces/cgroups.ts'
import { projectRoot } from '../lab/paths.ts'
import { run } from '../lab/run.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { nodeAddresses, ProxyPod, serviceAddresses } from './cluster.ts'

const visitProgram = join(projectRoot, 'test/agent/programs/visit.ts')

/**
 * Copies the programs of the image to a directory on the disk, without leaving them in the page cache. A bed's node has
 * its images in memory, where they count for no Pod; what is read from the disk counts for the Pod that reads it first.
 */
async function programsOnDisk(parts: AsyncDisposableStack): Promise<string> {
  await using image = await Unpacked.of(agentReference)
  const directory = await mkdtemp('/var/tmp/culvert-programs-')
  parts.defer(() => rm(directory, { recursive: true }))
  await run(['cp', '--archive', `${image.root}/usr/local/.`, directory])
  for (const file of ['bin/node', 'bin/tailscaled', 'bin/tailscale', 'lib/culvert/agent.js'])
    await run(['dd', `of=${join(directory, file)}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'])
  return directory
}

/** A proxy as operators create it for an Ingress, with the programs of a directory. */
async function siteProxy(bed: Bed, name: string, programs: string, container: object): Promise<KubeObject[]> {
  const secret = `${name}-0`
  const authority = authorityObjects(await bed.acme.trust())
  const { v4 } = await serviceAddresses(bed.cluster, 'web')
  const serve = {
    TCP: { 443: { HTTPS: true } },
    Web: { '${TS_CERT_DOMAIN}:443': { Handlers: { '/': { Proxy: `http://${v4}/` } } } },
  }
  const stringData = {
    'cap-107.hujson': deviceConfig(secret, await bed.authKey()),
    'serve-config': JSON.stringify(serve),
  }
  const readinessProbe = { exec: { command: ['culvert', 'ready'] }, periodSeconds: 1, timeoutSeconds: 5 }
  return [
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: secret, namespace: proxyNamespace }, stringData },
    workload({
      name,
      image: agentReference,
      app: 'k8s-operator-ingress-resource',
      account: 'proxies',
      configs: [secret],
      podIPs: false,
      env: { TS_USERSPACE: 'true', TS_SERVE_CONFIG: '/etc/tailscaled/serve-config', ...authority.env },
      mounts: [
        { volume: { name: 'serve-config', secret: { secretName: secret } }, mountPath: '/etc/tailscaled' },
        { volume: { name: 'programs', hostPath: { path: programs } }, mountPath: '/usr/local' },
        ...authority.mounts,
      ],
      container: { securityContext: {}, readinessProbe, ...container },
      pod: { initContainers: [] },
    }),
  ]
}

test('a limit of 128 MiB is enough for a site in a tailnet of a hundred peers', async () => {
  const [image, bed] = await Promise.all([
    buildImage(),
    startBed({
      acme: true,
      hosts: { client: { network: 'wan', tailscaled: { up: ['--accept-routes'] } } },
      cluster: { nodes: 1 },
    }),
  ])
  await using parts = new AsyncDisposableStack()
  parts.defer(() => bed.down())
  printLogsOnFailure(bed)
  const authority = authorityObjects(await bed.acme.trust())
  const objects = [...siteObjects('web'), ...proxyBase(), ...authority.objects]
  await Promise.all([bed.cluster.importImage(image.archive), bed.cluster.apply(...objects)])
  for (let count = 0; count < 100; count += 1) await bed.control.createNode('peer')
  const start = async (name: string, container: object): Promise<ProxyPod> => {
    await bed.cluster.apply(...(await siteProxy(bed, name, await programsOnDisk(parts), container)))
    return new ProxyPod(bed.cluster, `${name}-0`)
  }
  const [free, limited] = [
    await start('free', {}),
    await start('limited', { resources: { limits: { memory: '128Mi' } } }),
  ]
  /** Milliseconds of CPU until the Pod is ready. */
  const untilReady = async (proxy: ProxyPod): Promise<number> => {
    await proxy.ready()
    return await cpuOf(bed.name, bed.cluster.node().name, `pod${(await proxy.pod())!.metadata.uid}`)
  }
  const [freely, within] = await Promise.all([untilReady(free), untilReady(limited)])
  // A Pod that is short of memory uses more, to reclaim memory and to read the programs again.
  expect(within).toBeLessThan(2 * freely)
  /** Reads a file of the Pod's cgroup, in version 1 or 2. */
  const readCgroup = async (proxy: ProxyPod, ...files: readonly string[]): Promise<string> =>
    (await proxy.exec('sh', '-c', `cd /sys/fs/cgroup && cat ${files.join(' ')} 2> /dev/null`)).stdout
  // The limit has an effect: without it the Pod uses more, most of it programs that the kernel can read again.
  const most = Number(await readCgroup(free, 'memory/memory.max_usage_in_bytes', 'memory.peak'))
  expect(most).toBeGreaterThan(128 * 1024 * 1024)

  const name = 'limited-0.lab.ts.net'
  const visit: Visit = { to: (await nodeAddresses(bed, 'limited-0')).v4, port: 443, name, tls: true }
  const options = { env: { NODE_EXTRA_CA_CERTS: '/etc/lab-ca.pem' }, check: false }
  const visited = () => bed.host('client').exec([process.execPath, visitProgram, JSON.stringify(visit)], options)
  await expect.poll(visited).toMatchObject({ stdout: expect.stringContaining('"status":200') })
  expect((await limited.exec('tailscale', 'status')).stdout.match(/ peer(-\d+)? /g)).toHaveLength(100)
  expect(await readCgroup(limited, 'memory/memory.oom_control', 'memory.events')).toMatch(/^oom_kill 0$/m)
  expect(await limited.restarts()).toBe(0)
})
