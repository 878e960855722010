import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import type { OperatorProcess } from '../operator-process.ts'
import { DowntimeCluster, type Seen } from './downtime-cluster.ts'
import { installInPlace, removeDeployment } from './in-place.ts'
import { standingOf } from './standing.ts'

let cluster: DowntimeCluster
let operator: OperatorProcess | undefined
let watches: Awaited<ReturnType<DowntimeCluster['watch']>>
let nodes: readonly unknown[]
beforeAll(async () => {
  cluster = await DowntimeCluster.start()
})
afterAll(async () => {
  await operator?.stop()
  await cluster[Symbol.asyncDispose]()
})
beforeEach(() => {
  printLogsOnFailure(cluster.bed)
  onTestFailed(async () => {
    console.error([...(operator?.logged ?? []), 'upstream:', ...cluster.upstream.log].join('\n'))
    console.error(await standingOf(cluster.bed, ['out', 'remote', 'in', 'shared']))
  })
})

/** What was seen of each kind since the last call, printed as a table; all of them answer now. */
async function seen(title: string): Promise<void> {
  const rows: [string, Seen][] = []
  for (const [kind, watch] of Object.entries(watches)) rows.push([kind, await watch()])
  const lines = rows.map(([kind, { gap, failed, of }]) => `${kind}: ${gap.toFixed(1)} s, ${failed} of ${of} failed`)
  console.info([title, ...lines].join('\n'))
}

const identities = async () =>
  (await cluster.bed.control.nodes()).map(({ stableId, nodeKey, addresses }) => ({ stableId, nodeKey, addresses }))

test('everybody reaches what Tailscale’s operator has made', async () => {
  await cluster.ask()
  await cluster.rolledOut('theirs')
  watches = await cluster.watch()
  nodes = await identities()
})

test('with Culvert’s operator in its place, everybody reaches the same again, by the same nodes', async () => {
  await cluster.upstream.stop()
  await seen('without an operator')
  await installInPlace(cluster.bed)
  operator = await cluster.operate()
  await cluster.rolledOut('ours')
  await seen('to Culvert')
  expect(await identities()).toEqual(nodes)
  await operator.stop()
})

test('and so they do when Tailscale’s operator is back', async () => {
  await removeDeployment(cluster.bed)
  await cluster.upstream.reinstall()
  await cluster.upstream.start()
  await cluster.rolledOut('theirs')
  await seen('back')
  expect(await identities()).toEqual(nodes)
})
