import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { expectAllAnswered, expectNothingFailed, restartUnderLoad, underLoad } from '../../e2e/egress-rollout.ts'
import { expectOnlyExplained, killAgain, type Outage } from '../../e2e/ingress-load.ts'
import { drain, soakTimes as times } from '../../e2e/rollout.ts'
import { EgressGroupCluster } from './egress-group-cluster.ts'
import { made } from './nothing-left.ts'

let egress: EgressGroupCluster
beforeAll(async () => {
  egress = await EgressGroupCluster.start()
})
afterAll(() => egress[Symbol.asyncDispose]())
beforeEach(() => egress.printLogsOnFailure())

/** Waits until so many replicas forward. */
async function forwarding(replicas: number): Promise<void> {
  const all = `True ReadyToRouteTraffic: ${replicas} of ${replicas} replicas forward to db.lab.ts.net`
  await expect.poll(() => egress.condition('db', 'Ready')).toBe(all)
}

async function scale(replicas: number): Promise<void> {
  await egress.scale(replicas)
  await expect.poll(() => made(egress.bed, 'pods')).toHaveLength(replicas)
  await forwarding(replicas)
}

test(`in ${times} rolling restarts of three replicas no new connection fails`, async () => {
  await forwarding(3)
  expectNothingFailed(await restartUnderLoad(egress, 'db', times))
})

test('with one replica, five, and one again, no new connection fails, with a Service that works nowhere beside', async () => {
  await egress.add('lost', 'missing')
  const reports = await underLoad(egress, 'db', async () => {
    for (const replicas of [1, 5, 1, 3]) await scale(replicas)
  })
  await egress.bed.cluster.kubectl(['delete', 'service', 'lost'])
  expectAllAnswered(reports)
})

test('while a node is drained, no new connection fails', async () => {
  const reports = await underLoad(egress, 'db', async () => {
    await drain(egress.bed.cluster, 'node2', 'egress')
    await forwarding(3)
  })
  await egress.bed.cluster.kubectl(['uncordon', 'node2'])
  expectAllAnswered(reports)
})

test(`of ${times} replicas that are killed, each loses connections only until it is back`, async () => {
  await forwarding(3)
  let outages: readonly Outage[] = []
  const reports = await underLoad(egress, 'db', async () => {
    const names = [0, 1, 2].map((ordinal) => `egress-${ordinal}`)
    outages = await killAgain(egress.bed.cluster, names, times, () => forwarding(3))
  })
  expectOnlyExplained(reports, outages)
  expect(egress.operator.errors).toEqual([])
})
