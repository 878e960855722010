import { execa } from 'execa'
import { existsSync } from 'node:fs'
import { readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { poll } from '../poll.ts'
import { allPids, argvOf } from './procs.ts'
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

/** Everything that tells of a bed outside of its directory. */
async function traces(name: string, namespaces: readonly string[]): Promise<string[]> {
  const marked = allPids().filter((pid) => argvOf(pid).some((argument) => argument === `CULVERT_LAB=${name}`))
  const inside: string[] = []
  for (const pid of allPids()) {
    const links = await Promise.all(
      ['net', 'mnt', 'pid'].map((kind) => readlink(`/proc/${pid}/ns/${kind}`).catch(() => '')),
    )
    if (links.some((link) => namespaces.includes(link))) inside.push(`process ${pid} in ${links.join(' ')}`)
  }
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .filter((line) => line.includes(`culvert-lab/${name}`))
  return [...marked.map((pid) => `marked process ${pid}`), ...inside, ...mounts]
}

async function namespacesOf(name: string): Promise<string[]> {
  const record = (await readRecord(name))!
  const pids = [record.holder!.pid, ...record.hosts.map((host) => host.holder.pid)]
  const links = await Promise.all(
    pids.flatMap((pid) => ['net', 'mnt', 'pid'].map((kind) => readlink(`/proc/${pid}/ns/${kind}`))),
  )
  return links
}

test('a bed dies with the process that started it, and the next sweep removes its files', async () => {
  const name = `crash-a-${process.pid}`
  const { child } = await driver(name, true)
  const namespaces = await namespacesOf(name)
  expect(await traces(name, namespaces)).not.toEqual([])
  child.kill('SIGKILL')
  await child
  await poll(
    'the end of the bed',
    5000,
    async () => ((await traces(name, namespaces)).length === 0 ? true : undefined),
    50,
  )
  expect(existsSync(placesOf(name).top)).toBe(true)
  expect(await sweep()).toContain(name)
  expect(existsSync(placesOf(name).top)).toBe(false)
})

test('a bed that is to stay does, and is taken down from anywhere, as often as one likes', async () => {
  const name = `crash-b-${process.pid}`
  const { child } = await driver(name, false)
  const namespaces = await namespacesOf(name)
  child.kill('SIGKILL')
  await child
  expect(await sweep()).not.toContain(name)
  expect(await traces(name, namespaces)).not.toEqual([])
  expect(await tearDown(name)).toBe(true)
  expect(await traces(name, namespaces)).toEqual([])
  expect(existsSync(placesOf(name).top)).toBe(false)
  expect(await tearDown(name)).toBe(false)
})

test('a bed is found by its marker when its record is lost', async () => {
  const name = `crash-c-${process.pid}`
  const { child } = await driver(name, false)
  const namespaces = await namespacesOf(name)
  child.kill('SIGKILL')
  await execa('rm', ['-r', placesOf(name).top])
  expect(await tearDown(name)).toBe(true)
  expect(await traces(name, namespaces)).toEqual([])
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
  expect(await sweep()).toContain(name)
  expect(existsSync(`/proc/${pid}`)).toBe(false)
  expect(existsSync(placesOf(name).top)).toBe(false)
})
