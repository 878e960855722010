import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { namespace } from '../operator-process.ts'
import { examplesOf, GroupIngressCluster } from './group-ingress-cluster.ts'

let here: GroupIngressCluster
beforeAll(async () => {
  here = await GroupIngressCluster.start()
  await here.bed.cluster.apply(...examplesOf('operator-ingress-group.md'))
})
afterAll(() => here[Symbol.asyncDispose]())
beforeEach(() => here.printLogsOnFailure())

async function scale(replicas: number): Promise<void> {
  const patch = JSON.stringify({ spec: { replicas } })
  await here.bed.cluster.kubectl(['patch', 'proxygroup', 'ingress', '--type=merge', `--patch=${patch}`])
  await serving(replicas)
}

/** Waits until so many replicas host both, and the tailnet has it so. */
async function serving(replicas: number): Promise<void> {
  await expect.poll(() => here.condition('db')).toContain(`${replicas}/${replicas} proxy backends`)
  for (const service of ['svc:db', 'svc:wiki']) {
    const hosts = async () => (await here.bed.control.service(service)).hosts.filter(({ state }) => state === 'serving')
    await expect.poll(async () => (await hosts()).length).toBe(replicas)
  }
}

test('in 20 rollouts of three replicas no new connection fails', async () => {
  await scale(3)
  await here.rolledOut('ingress')
  await here.underLoad(async () => {
    for (let time = 1; time <= 20; time += 1) {
      await here.relabel(`r${time}`)
      await here.rolledOut('ingress')
      await serving(3)
    }
  })
})

test('with one replica, five, and one again, no new connection fails', async () => {
  await here.underLoad(async () => {
    for (const replicas of [1, 5, 1, 2]) await scale(replicas)
  })
})

test('while a node is drained, no new connection fails', async () => {
  await here.underLoad(async () => {
    const drained = ['--ignore-daemonsets', '--delete-emptydir-data', '--force', '--timeout=300s']
    const where = ['--pod-selector=tailscale.com/parent-resource=ingress']
    await here.bed.cluster.kubectl(['drain', 'node2', ...drained, ...where], { timeout: 400_000 })
    await serving(2)
    await here.bed.cluster.kubectl(['uncordon', 'node2'])
  })
  const { stdout } = await here.bed.cluster.kubectl(['get', 'pods', `--namespace=${namespace}`, '--output=name'])
  expect(stdout.split('\n').filter((line) => line.startsWith('pod/ingress-'))).toHaveLength(2)
})
