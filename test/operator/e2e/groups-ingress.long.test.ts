import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { answersWithin, expectOnlyExplained, killAgain, type Outage } from '../../e2e/ingress-load.ts'
import { drain, soakTimes as times } from '../../e2e/rollout.ts'
import { ask, type Host } from '../../lab/bed.ts'
import { namespace } from '../operator-process.ts'
import { GroupIngressCluster } from './group-ingress-cluster.ts'
import { examplesOf } from './pages.ts'

let here: GroupIngressCluster
beforeAll(async () => {
  here = await GroupIngressCluster.start()
  await here.bed.cluster.apply(...examplesOf('operator-ingress-group.md'))
})
afterAll(() => here[Symbol.asyncDispose]())
beforeEach(() => here.printLogsOnFailure())

test(`in ${times} rollouts of three replicas no new connection fails`, async () => {
  await here.scale(3)
  await here.rolledOut('ingress')
  await here.underLoad(async () => {
    for (let time = 1; time <= times; time += 1) {
      await here.relabel(`r${time}`)
      await here.rolledOut('ingress')
      await here.serving(3)
    }
  })
})

test('with one replica, five, and one again, no new connection fails', async () => {
  await here.underLoad(async () => {
    for (const replicas of [1, 5, 1, 2]) await here.scale(replicas)
  })
})

test('while a node is drained, no new connection fails', async () => {
  await here.underLoad(async () => {
    await drain(here.bed.cluster, 'node2', 'ingress')
    await here.serving(2)
    await here.bed.cluster.kubectl(['uncordon', 'node2'])
  })
  const { stdout } = await here.bed.cluster.kubectl(['get', 'pods', `--namespace=${namespace}`, '--output=name'])
  expect(stdout.split('\n').filter((line) => line.startsWith('pod/ingress-'))).toHaveLength(2)
})

test(`of ${times} replicas that are killed, each loses connections only until it is back`, async () => {
  const names = ['ingress-0', 'ingress-1', 'ingress-2']
  await here.scale(3)
  let outages: readonly Outage[] = []
  const reports = await here.load(
    async () => {
      outages = await killAgain(here.bed.cluster, names, times, () => here.serving(3))
    },
    { patience: answersWithin, retries: 0 },
  )
  expectOnlyExplained(reports, outages)
  expect(here.operator.errors).toEqual([])
})

/** Has another cluster serve both, too, and the tailnet lead a client to it; gives the number of the client that stays. */
async function join(second: GroupIngressCluster): Promise<number> {
  const [group, ...users] = examplesOf('operator-ingress-group.md')
  await second.bed.cluster.apply({ ...group!, spec: { type: 'ingress', replicas: 1 } }, ...users)
  await here.hosted(2)
  const [to] = (await here.bed.control.service('svc:db')).addresses
  const answering = async () => {
    const once = (client: Host) => ask(client, { to, port: 5432, protocol: 'tcp', patience: 5000 })
    const answers = await Promise.all(here.clients.map((client) => once(client).catch(String)))
    return answers.map((answer) => (typeof answer === 'string' ? answer : answer.host))
  }
  let led: readonly string[] = []
  await expect.poll(async () => (led = await answering()).toSorted()).toEqual(['db', 'db-2'])
  return led.indexOf('db')
}

describe('a second cluster, with a replica of its own beside the one of the first,', () => {
  test('comes and goes, and no new connection fails', async () => {
    await here.scale(1)
    await using second = await GroupIngressCluster.start({ tailnet: here.bed })
    await here.underLoad(async () => {
      await join(second)
      await second.bed.cluster.kubectl(['delete', 'ingress/wiki', 'service/db', '--timeout=600s'])
      await here.serving(1)
    })
    await second.bed.cluster.kubectl(['delete', 'proxygroup/ingress', '--timeout=600s'])
    expect(await second.made()).toEqual([])
    expect(second.operator.errors).toEqual([])
    await here.reachable(['tcp'])
  })

  test('loses its power, and its clients have the first one again', async () => {
    await using second = await GroupIngressCluster.start({ tailnet: here.bed })
    const staying = await join(second)
    const outage = { from: 0, to: 0 }
    const reports = await here.load(
      async () => {
        outage.from = Date.now()
        // All at once, without a word from its agents: their connections end.
        await second.bed.down()
        await here.serving(1)
        await here.reachable(['tcp'])
        outage.to = Date.now()
      },
      { patience: answersWithin, retries: 0 },
    )
    expectOnlyExplained(reports, [outage])
    // Each client has a report for the site, and one for the port.
    expect(reports[2 * staying + 1]?.failures).toEqual([])
  })
})
