import { execa } from 'execa'
import { existsSync, readdirSync } from 'node:fs'
import { readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { isHolder } from './holder.ts'
import { allPids, argvOf, isAlive, startTime, type Proc } from './procs.ts'
import { readRecord } from './record.ts'

/** Runs a program that starts a bed and then waits; returns once the bed is up. `more` is more of the bed's options. */
export async function driver(name: string, owned: boolean, more: object = {}) {
  const hosts = { a: { network: 'wan', tailscaled: true }, b: { network: 'cluster' } }
  const program = `
    const { startBed } = await import(${JSON.stringify(join(import.meta.dirname, '../bed.ts'))})
    await startBed(${JSON.stringify({ name, owned, hosts, ...more })})
    console.log('up')
    setInterval(() => {}, 1000)`
  const child = execa(process.execPath, ['--input-type=module', '--eval', program], { buffer: false, reject: false })
  await new Promise((resolve) => child.stdout.once('data', resolve))
  // Wrapped, since the child is itself a promise of its end, which would be awaited.
  return { child }
}

const kinds = ['net', 'mnt', 'pid']

async function namespacesOf(pid: number): Promise<string[]> {
  return await Promise.all(kinds.map((kind) => readlink(`/proc/${pid}/ns/${kind}`).catch(() => '')))
}

/**
 * Every process in any namespace or control group of a bed. Not the namespaces themselves: their numbers are reused at
 * once.
 */
export async function membersOf(name: string): Promise<Proc[]> {
  const record = (await readRecord(name))!
  const holders = [record.holder!, ...record.hosts.map(({ holder }) => holder)]
  const own = new Set((await Promise.all(holders.map(({ pid }) => namespacesOf(pid)))).flat())
  const members: Proc[] = []
  for (const pid of allPids()) {
    const start = startTime(pid)
    if (start === undefined) continue
    const grouped = (await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '')).includes(`/culvert-lab/${name}/`)
    if (grouped || (await namespacesOf(pid)).some((one) => own.has(one))) members.push({ pid, start })
  }
  return members
}

/** The control groups of a bed. */
export function groupsOf(name: string): string[] {
  return ['', ...readdirSync('/sys/fs/cgroup')]
    .map((hierarchy) => join('/sys/fs/cgroup', hierarchy, 'culvert-lab', name))
    .filter((path) => existsSync(path))
}

/** What is left of a bed outside its directory: running members, holders, mounts. */
export async function traces(name: string, members: readonly Proc[]): Promise<string[]> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8')
  return [
    ...members.filter(isAlive).map(({ pid }) => `process ${pid}`),
    ...allPids()
      .filter((pid) => isHolder(argvOf(pid), name))
      .map((pid) => `holder ${pid}`),
    ...mounts.split('\n').filter((line) => line.includes(`culvert-lab/${name}/`)),
  ]
}

/** The helpers between the bed's processes and their starter end a moment after them. */
export async function gone(name: string, members: readonly Proc[]): Promise<void> {
  await expect.poll(() => traces(name, members)).toEqual([])
}
