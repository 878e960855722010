import { execa } from 'execa'
import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { poll } from '../poll.ts'
import { allPids, argvOf, startTime } from './procs.ts'
import { pathsOf, readRecord } from './record.ts'
import { sweep, tearDown } from './teardown.ts'
import { driver, gone, membersOf, traces } from './traces.ts'

test('a bed dies with the process that started it, and the next sweep removes its files', async () => {
  const name = `crash-a-${process.pid}`
  const { child } = await driver(name, true)
  const members = await membersOf(name)
  // Holders, their helpers, the control server and a tailscaled.
  expect(members.length).toBeGreaterThanOrEqual(6)
  child.kill('SIGKILL')
  await child
  await gone(name, members)
  // Tests that run at the same time sweep, too, and may have begun with this one.
  await sweep()
  await expect.poll(() => existsSync(pathsOf(name).top)).toBe(false)
})

test('a bed that is not owned stays, and can be taken down from anywhere, repeatedly', async () => {
  const name = `crash-b-${process.pid}`
  const { child } = await driver(name, false)
  const members = await membersOf(name)
  child.kill('SIGKILL')
  await child
  expect(await sweep()).not.toContain(name)
  expect(await traces(name, members)).not.toEqual([])
  expect(await tearDown(name)).toBe(true)
  await gone(name, members)
  expect(existsSync(pathsOf(name).top)).toBe(false)
  expect(await tearDown(name)).toBe(false)
})

test('a bed is found by its marker when its record is lost', async () => {
  const name = `crash-c-${process.pid}`
  const { child } = await driver(name, false)
  const members = await membersOf(name)
  child.kill('SIGKILL')
  await execa('rm', ['-r', pathsOf(name).top])
  expect(await tearDown(name)).toBe(true)
  await gone(name, members)
})

test('a start that was killed half way leaves nothing behind', async () => {
  const name = `crash-d-${process.pid}`
  // Nobody completes this login, so that the start does not end meanwhile.
  const starting = driver(name, false, { hosts: { a: { network: 'wan', tailscaled: { authKey: '' } } } })
  const pid = await poll('the holder', () =>
    allPids().find((one) => argvOf(one)[0] === 'tini' && argvOf(one).includes(`CULVERT_LAB=${name}`)),
  )
  const maker = (await readRecord(name))?.owner
  process.kill(maker!.pid, 'SIGKILL')
  await Promise.race([starting, poll('the record', () => (existsSync(`/proc/${maker!.pid}`) ? undefined : true))])
  await sweep()
  // Its end is what counts; it may still be a zombie.
  await expect.poll(() => startTime(pid)).toBeUndefined()
  await expect.poll(() => existsSync(pathsOf(name).top)).toBe(false)
})
