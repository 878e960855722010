import { execa } from 'execa'
import { existsSync } from 'node:fs'
import { readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { poll } from '../poll.ts'
import { isHolder } from './holder.ts'
import { allPids, argvOf, isAlive, startTime, type Proc } from './procs.ts'
import { placesOf, readRecord } from './record.ts'
import { sweep, tearDown } from './teardown.ts'

/** Runs a program that starts a bed and then waits; returns once the bed is up. */
async function driver(name: string, owned: boolean) {
  const program = `
    const { startBed } = await import(${JSON.stringify(join(import.meta.dirname, '../bed.ts'))})
    await startBed({ name: '${name}', owned: ${owned}, hosts: { a: { network: 'wan', tailscaled: true }, b: { network: 'cluster' } } })
    console.log('up')
    setInterval(() => {}, 1000)`
  const child = execa(process.execPath, ['--input-type=module', '--eval', program], { buffer: false, reject: false })
  await new Promise((resolve) => child.stdout.once('data', resolve))
  // Not the child itself: it is a promise of its own end, which would be waited for.
  return { child }
}

const kinds = ['net', 'mnt', 'pid']

async function namespacesOf(pid: number): Promise<string[]> {
  return await Promise.all(kinds.map((kind) => readlink(`/proc/${pid}/ns/${kind}`).catch(() => '')))
}

/** Every process in any namespace of a bed. Not the namespaces themselves: their numbers are given out again at once. */
async function membersOf(name: string): Promise<Proc[]> {
  const record = (await readRecord(name))!
  const holders = [record.holder!, ...record.hosts.map(({ holder }) => holder)]
  const own = new Set((await Promise.all(holders.map(({ pid }) => namespacesOf(pid)))).flat())
  const members: Proc[] = []
  for (const pid of allPids()) {
    const start = startTime(pid)
    if (start !== undefined && (await namespacesOf(pid)).some((one) => own.has(one))) members.push({ pid, start })
  }
  return members
}

/** What is left of a bed outside of its directory: members that live, holders, mounts. */
async function traces(name: string, members: readonly Proc[]): Promise<string[]> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8')
  return [
    ...members.filter(isAlive).map(({ pid }) => `process ${pid}`),
    ...allPids()
      .filter((pid) => isHolder(argvOf(pid), name))
      .map((pid) => `holder ${pid}`),
    ...mounts.split('\n').filter((line) => line.includes(`culvert-lab/${name}/`)),
  ]
}

/** The helpers that stood between the bed's processes and their starter end a moment after them. */
async function gone(name: string, members: readonly Proc[]): Promise<void> {
  await expect.poll(() => traces(name, members), { timeout: 5000 }).toEqual([])
}

test('a bed dies with the process that started it, and the next sweep removes its files', async () => {
  const name = `crash-a-${process.pid}`
  const { child } = await driver(name, true)
  const members = await membersOf(name)
  // Holders, their helpers, the control server and a tailscaled.
  expect(members.length).toBeGreaterThanOrEqual(6)
  child.kill('SIGKILL')
  await child
  await gone(name, members)
  // Tests that run beside this one sweep too.
  await sweep()
  expect(existsSync(placesOf(name).top)).toBe(false)
})

test('a bed that is to stay does, and is taken down from anywhere, as often as one likes', async () => {
  const name = `crash-b-${process.pid}`
  const { child } = await driver(name, false)
  const members = await membersOf(name)
  child.kill('SIGKILL')
  await child
  expect(await sweep()).not.toContain(name)
  expect(await traces(name, members)).not.toEqual([])
  expect(await tearDown(name)).toBe(true)
  await gone(name, members)
  expect(existsSync(placesOf(name).top)).toBe(false)
  expect(await tearDown(name)).toBe(false)
})

test('a bed is found by its marker when its record is lost', async () => {
  const name = `crash-c-${process.pid}`
  const { child } = await driver(name, false)
  const members = await membersOf(name)
  child.kill('SIGKILL')
  await execa('rm', ['-r', placesOf(name).top])
  expect(await tearDown(name)).toBe(true)
  await gone(name, members)
})

test('a start that was killed half way leaves nothing that stays', async () => {
  const name = `crash-d-${process.pid}`
  const starting = driver(name, false)
  const pid = await poll('the holder', 10_000, () =>
    allPids().find((one) => argvOf(one)[0] === 'tini' && argvOf(one).includes(`CULVERT_LAB=${name}`)),
  )
  const maker = (await readRecord(name))?.owner
  process.kill(maker!.pid, 'SIGKILL')
  await Promise.race([starting, poll('the record', 2000, () => (existsSync(`/proc/${maker!.pid}`) ? undefined : true))])
  await sweep()
  expect(existsSync(`/proc/${pid}`)).toBe(false)
  expect(existsSync(placesOf(name).top)).toBe(false)
})
