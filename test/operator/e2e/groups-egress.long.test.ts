import { randomInt } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { ProxyPod } from '../../e2e/cluster.ts'
import { expectAllAnswered, expectNothingFailed, restartUnderLoad, underLoad } from '../../e2e/egress-rollout.ts'
import { kill, type Outage, unexplained } from '../../e2e/ingress-load.ts'
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

test('with one replica, five, and one again, no new connection fails', async () => {
  const reports = await underLoad(egress, 'db', async () => {
    for (const replicas of [1, 5, 1, 3]) await scale(replicas)
  })
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
  const outages: Outage[] = []
  const reports = await underLoad(egress, 'db', async () => {
    for (let time = 0; time < times; time += 1) {
      const victim = new ProxyPod(egress.bed.cluster, `egress-${randomInt(3)}`)
      const before = (await victim.pod())?.metadata.uid
      const from = Date.now()
      await kill(victim)
      await expect.poll(async () => (await victim.pod())?.metadata.uid ?? before).not.toBe(before)
      await victim.ready()
      await forwarding(3)
      outages.push({ from, to: Date.now() })
    }
  })
  const seconds = outages.map(({ from, to }) => Math.round((to - from) / 1000))
  const lost = reports.map(({ sent, answered }) => sent - answered)
  console.log(`killed for ${seconds.join(', ')} s; connections of each client that failed: ${lost.join(', ')}`)
  expect(reports.map((report) => unexplained(report, outages))).toEqual(reports.map(() => []))
  expect(egress.operator.errors).toEqual([])
})
