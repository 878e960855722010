import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { killAgain, type Outage } from '../../e2e/ingress-load.ts'
import { soakTimes as times } from '../../e2e/rollout.ts'
import { kubectlEnv, makeApiGroup, servingApi } from './api-group.ts'
import { testApiProxy } from './api-proxy.ts'
import { GroupIngressCluster } from './group-ingress-cluster.ts'
import { expectExplained, expectWatched, KubectlLoad } from './kubectl-load.ts'

const names = ['kube-0', 'kube-1', 'kube-2']

let here: GroupIngressCluster
beforeAll(async () => {
  here = await GroupIngressCluster.start()
})
afterAll(() => here[Symbol.asyncDispose]())
beforeEach(() => here.printLogsOnFailure())

/** Waits until all replicas serve, and all clients are answered. */
async function recovered(): Promise<void> {
  await here.rolledOut('kube')
  await expect.poll(() => servingApi(here)).toEqual(names)
  const ready = ['kubectl', 'get', '--raw=/readyz', '--request-timeout=10s']
  for (const client of here.clients) {
    const once = () => client.exec(ready, { env: kubectlEnv }).then(({ stdout }) => stdout, String)
    await expect.poll(once).toBe('ok')
  }
}

/** Runs `work` while all clients use the API server; gives what they saw. */
async function underLoad(work: (loads: readonly KubectlLoad[]) => Promise<void>): Promise<readonly KubectlLoad[]> {
  const loads = await Promise.all(here.clients.map((client) => KubectlLoad.start(client, kubectlEnv, 'db')))
  await work(loads)
  await Promise.all(loads.map((load) => load.stop()))
  for (const { logsEnded } of loads) console.log(`logs that were followed ended: ${logsEnded.join(', ')}`)
  return loads
}

test('a group of three replicas serves all clients', async () => {
  await makeApiGroup(here, names.length)
  await recovered()
})

test(`in ${times} rollouts of three replicas kubectl is answered, and informers go on`, async () => {
  const took: number[] = []
  const { last } = await here.bed.control.events()
  const loads = await underLoad(async (all) => {
    for (let time = 1; time <= times; time += 1) {
      const begun = performance.now()
      await here.relabel(`r${time}`)
      await recovered()
      await expectWatched(here.bed.cluster, all)
      took.push(Math.round((performance.now() - begun) / 1000))
    }
  })
  const { events } = await here.bed.control.events(last)
  const moves = events.filter(({ kind }) => kind === 'service-host').length
  console.log(`rollouts took ${took.join(', ')} s; ${moves} changes of hosts`)
  expectExplained(loads, [])
  // A connection that is open while the tailnet moves its client breaks.
  for (const { repeated } of loads) expect(repeated.length, repeated.join()).toBeLessThanOrEqual(moves)
  expect(here.operator.errors).toEqual([])
  expect(await here.bed.acme.orders('kube.lab.ts.net')).toHaveLength(1)
})

test(`of ${times} replicas that are killed, each is missed only until it is back`, async () => {
  let outages: readonly Outage[] = []
  const loads = await underLoad(async (all) => {
    outages = await killAgain(here.bed.cluster, names, times, async () => {
      await recovered()
      await expectWatched(here.bed.cluster, all)
    })
  })
  expectExplained(loads, outages)
  expect(here.operator.errors).toEqual([])
})

testApiProxy(() => here, true)
