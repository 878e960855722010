import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { setTimeout as delay } from 'node:timers/promises'
import { ask, openBed, type Bed } from '../bed.ts'
import { pathsOf } from '../namespaces/record.ts'
import { sweep } from '../namespaces/teardown.ts'
import { driver, gone, groupsOf, membersOf } from '../namespaces/traces.ts'
import { testBed } from '../vitest.ts'
import { toolsImage } from './images.ts'

/** Settings of the machine that kubelet would change. */
const settings = ['vm/overcommit_memory', 'vm/panic_on_oom', 'kernel/panic', 'kernel/panic_on_oops']
const machine = (): string[] => settings.map((name) => readFileSync(`/proc/sys/${name}`, 'utf8'))

/** Runs a Pod that prints the bed's name; returns a function that reads it from the log on its node. */
async function startPod({ name, cluster }: Bed): Promise<() => Promise<string>> {
  await cluster.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'echo', namespace: 'default' },
    spec: { containers: [{ name: 'main', image: toolsImage, command: ['echo-server', name, '7000'] }] },
  })
  await cluster.wait('pod/echo', 'Ready')
  const to = (await cluster.pod('echo')).address.v4!
  return async () => (await ask(cluster.node(), { to, protocol: 'tcp' })).host
}

test('of two clusters at once, one that dies with its starter leaves nothing, and the other is unaffected', async () => {
  const before = machine()
  const name = `clean-${process.pid}`
  const [stays, { child }] = await Promise.all([
    testBed({ hosts: {}, cluster: { nodes: 1 } }),
    driver(name, true, { hosts: {}, cluster: { nodes: 1 } }),
  ])
  await using bed = stays
  const [mine, theirs] = await Promise.all([startPod(bed), startPod(await openBed(name))])
  expect([await mine(), await theirs()]).toEqual([bed.name, name])

  const members = await membersOf(name)
  // Eight daemons, two processes of the Pod and its shim, holders and helpers.
  expect(members.length).toBeGreaterThanOrEqual(15)
  expect(groupsOf(name)).not.toEqual([])
  child.kill('SIGKILL')
  await child
  await gone(name, members)
  // Tests that run at the same time sweep, too, and may have begun with this one.
  await sweep()
  await expect.poll(() => groupsOf(name)).toEqual([])
  await expect.poll(() => existsSync(pathsOf(name).top)).toBe(false)
  expect(await mine()).toBe(bed.name)

  const own = await membersOf(bed.name)
  await bed.down()
  await gone(bed.name, own)
  expect(groupsOf(bed.name)).toEqual([])
  expect(machine()).toEqual(before)
})

test('a bed is removed although processes in it were stopped when its owner died', async () => {
  const name = `stopped-${process.pid}`
  const { child } = await driver(name, true, { hosts: {}, cluster: { nodes: 0 } })
  const { cluster } = await openBed(name)
  const members = await membersOf(name)
  cluster.component('kube-apiserver').signal('SIGSTOP')
  // Its helper is stopped along with it, a moment later.
  await delay(300)
  child.kill('SIGKILL')
  await child
  await sweep()
  await gone(name, members)
  await expect.poll(() => existsSync(pathsOf(name).top)).toBe(false)
})
