import { expect, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { asBefore, entryOf, readClusterService, servedBy } from '../../../operator/group-egress/cluster-service.ts'
import { entriesOf } from '../../../operator/group-egress/files.ts'
import { leaver, settledMs } from '../../../operator/group-egress/leave.ts'
import { replicasIn } from '../../../operator/group-egress/replicas.ts'
import { slices } from '../../../operator/group-egress/slices.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { settings, worldOf } from '../a-world.ts'
import { inCluster, pod, state } from './a-group.ts'

const group = (name: string): KubeObject => ({
  apiVersion: 'tailscale.com/v1alpha1',
  kind: 'ProxyGroup',
  metadata: { name },
})
const former = { group: 'eg', key: 'apps-old', ports: new Map([['5432/TCP', 10_007]]) }
const moving = inCluster({ group: 'new', former, families: ['IPv4'] })
const service = readClusterService(moving)!
const before = asBefore(service)!

/** The EndpointSlices of the Service when these replicas list it. */
function led(...listed: ('old' | 'new')[]): readonly KubeObject[] {
  const entries = { old: entryOf(before, worldOf(), settings)!, new: entryOf(service, worldOf(), settings)! }
  const of = (which: 'old' | 'new', ordinal: number) =>
    replicasIn(
      worldOf(pod(ordinal), state(ordinal, listed.includes(which) ? [entries[which]] : [])),
      settings.namespace,
      'eg',
      2,
    )
  return slices(service, entries.new, of('new', 0), { service: before, entry: entries.old, replicas: of('old', 1) })
}
const told = (all: readonly KubeObject[]): readonly string[] =>
  all.map(({ metadata, ports, endpoints }) => {
    const [first] = ports as readonly { port: number }[]
    const uids = (endpoints as readonly { hostname: string }[]).map(({ hostname }) => hostname)
    return `${metadata.name.replace('ts-db-abcde-', '')} ${first?.port}: ${uids.join()}`
  })

test('the Pods of the group from which a Service moves get its connections until those of the new one do', () => {
  expect(told(led())).toEqual(['ipv4 10000: '])
  expect(told(led('old'))).toEqual(['ipv4-before 10007: uid-pod-1', 'ipv4 10000: '])
  expect(told(led('old', 'new'))).toEqual(['ipv4 10000: uid-pod-0'])
})

test('they go on forwarding it as they did', () => {
  const world = worldOf(moving)
  expect(servedBy(world, 'eg').map(({ key, ports }) => [key, ports[0]?.matchPort])).toEqual([['apps-old', 10_007]])
  expect(servedBy(world, 'new').map(({ key, ports }) => [key, ports[0]?.matchPort])).toEqual([['apps-db', 10_000]])
  expect(entriesOf(world, 'eg', settings)).toMatchObject([{ name: 'apps-old', ports: [{ matchPort: 10_007 }] }])
})

test('its place in a group is kept until another one has served it for a while', async () => {
  const clock = new VirtualClock()
  const groups = ['eg', 'new', 'third'].map(group)
  const leave = (objects: readonly KubeObject[], to: string, of = service) => leaver(worldOf(...objects), clock)(of, to)
  const there = readClusterService(inCluster({ group: 'eg', key: 'apps-old', ports: { 5432: 10_007 } }))!
  expect(leave(groups, 'eg', there)).toEqual({})
  expect(leave(groups, 'new', there)).toEqual({ former })
  expect(leave(groups, 'new')).toEqual({ former })
  expect(leave(groups, 'eg')).toEqual({})
  expect(leave(groups, 'third')).toEqual({ former })
  const served = [...groups, ...led('new')]
  const own = { group: 'new', key: 'apps-db', ports: new Map([['5432/TCP', 10_000]]) }
  expect(leave(served, 'third')).toEqual({ former: own })
  expect(leave(served, 'eg')).toEqual({ former: own })
  const leaving = leaver(worldOf(...served), clock)
  expect(leaving(service, 'new')).toEqual({ former, again: settledMs })
  await clock.advance(settledMs - 1)
  expect(leaving(service, 'new')).toEqual({ former, again: 1 })
  await clock.advance(1)
  expect(leaving(service, 'new')).toEqual({})
  // What was written for the group from which it comes tells nothing of the new one.
  const earlier = readClusterService(inCluster({ group: 'eg', key: 'apps-old', families: ['IPv4'] }))!
  const entry = entryOf(earlier, worldOf(), settings)!
  const replicas = replicasIn(worldOf(pod(0), state(0, [entry])), settings.namespace, 'eg', 1)
  const stale = [...groups, ...slices(earlier, entry, replicas)]
  expect(leave(stale, 'third')).toEqual({ former })
  expect(leave(stale, 'new')).toEqual({ former })
  // With its group, its Pods are gone.
  expect(leave([group('new')], 'new')).toEqual({})
})
