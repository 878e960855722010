import { expect, test } from 'vitest'
import { nodeAddresses } from '../../e2e/cluster.ts'
import { startTraffic } from '../../lab/bed.ts'
import type { Cluster } from '../../lab/cluster/cluster.ts'
import { backendObjects } from '../../lab/cluster/proxy.ts'
import { noEntries, testBed } from '../../lab/vitest.ts'
import { namespace } from '../operator-process.ts'
import { buildImages, installOperator } from './install.ts'

/** Everything that keeps caches of the cluster is restarted, as Kubernetes' documentation of etcd says. */
async function restartOthers({ components }: Cluster): Promise<void> {
  const cached = components.filter(({ name }) => /controller-manager|scheduler|coredns|kubelet|kube-proxy/.test(name))
  await Promise.all(cached.map((one) => one.stop()))
  await Promise.all(cached.map((one) => one.start()))
}

test('traffic goes on while the API server is killed, all replicas are, and etcd is restored; what came since is made again', async () => {
  const images = await buildImages()
  const client = { network: 'wan', tailscaled: true } as const
  await using bed = await testBed({ hosts: { client }, cluster: { nodes: 1 } })
  const { cluster, control } = bed
  await installOperator(bed, images)
  const exposed = async (name: string): Promise<void> => {
    const service = backendObjects('backend').find(({ kind }) => kind === 'Service')
    const annotations = { 'tailscale.com/expose': 'true', 'tailscale.com/hostname': name }
    await cluster.apply({ ...service!, metadata: { ...service!.metadata, name, annotations } })
    await cluster.wait(`service/${name}`, 'TailscaleProxyReady')
  }
  await cluster.apply(...backendObjects('backend'))
  await cluster.wait('pod/backend', 'Ready')
  await exposed('kept')
  const to = (await nodeAddresses(bed, 'kept')).v4
  const long = { duration: 3_600_000, count: 100_000, every: 100, patience: 30_000 } as const
  const traffic = await Promise.all(
    (['flow', 'connect'] as const).map((mode) =>
      startTraffic(bed.host('client'), { to, protocol: 'tcp', mode, ...long }),
    ),
  )

  const apiServer = cluster.component('kube-apiserver')
  for (let kills = 0; kills < 3; kills += 1) {
    await apiServer.kill()
    await apiServer.start()
  }
  const force = ['--force', '--grace-period=0', `--namespace=${namespace}`]
  await cluster.kubectl(['delete', 'pods', '--selector=app=operator', ...force])
  await cluster.kubectl(['rollout', 'status', 'deployment/operator', `--namespace=${namespace}`])
  const restore = await cluster.snapshot()
  await exposed('lost')
  const { stableId: lost } = await control.node('lost')

  await restore()
  await restartOthers(cluster)
  const run = async (...argv: readonly string[]): Promise<string> => {
    const program = ['node', '/usr/local/lib/culvert/operator.js', ...argv]
    return (await cluster.kubectl(['exec', 'deploy/operator', `--namespace=${namespace}`, '--', ...program])).stdout
  }
  await expect.poll(() => run('devices')).toContain(`warning lost: ${lost} `)
  expect(await run('devices', `--remove=${lost}`)).toContain(`ok removed: ${lost} `)
  await exposed('lost')
  const nodes = async () => (await control.nodes()).map(({ name }) => name).toSorted()
  expect(await nodes()).toEqual(['client', 'kept', 'lost'])
  for (const flow of traffic) {
    const report = await flow.stop()
    expect(report).toMatchObject({ lost: 0, errors: noEntries })
    expect(report).not.toHaveProperty('broken')
    expect(report.answered).toBeGreaterThan(50)
  }
})
