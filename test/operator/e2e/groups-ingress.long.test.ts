import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { drain, soakTimes as times } from '../../e2e/rollout.ts'
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

test(`in ${times} rollouts of three replicas no new connection fails`, async () => {
  await scale(3)
  await here.rolledOut('ingress')
  await here.underLoad(async () => {
    for (let time = 1; time <= times; time += 1) {
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
    await drain(here.bed.cluster, 'node2', 'ingress')
    await serving(2)
    await here.bed.cluster.kubectl(['uncordon', 'node2'])
  })
  const { stdout } = await here.bed.cluster.kubectl(['get', 'pods', `--namespace=${namespace}`, '--output=name'])
  expect(stdout.split('\n').filter((line) => line.startsWith('pod/ingress-'))).toHaveLength(2)
})
