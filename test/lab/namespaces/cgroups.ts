import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rmdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { CulvertError, describe } from '../../../lib/errors.ts'
import { poll } from '../poll.ts'

const top = '/sys/fs/cgroup'
/** Every bed's groups are below this one. */
const ours = 'culvert-lab'

/** The control groups of a bed's host, from the root of each hierarchy. */
export function cgroupOf(bed: string, host: string): string {
  return `/${ours}/${bed}/${host}`
}

/** Makes the control groups of a bed's host in every hierarchy; a container engine makes its own below. */
export async function makeCgroups(bed: string, host: string): Promise<void> {
  for (const root of await hierarchies()) await mkdir(join(root, cgroupOf(bed, host)), { recursive: true })
}

/** Why control groups cannot be made; undefined when they can. */
export async function cgroupProblem(): Promise<string | undefined> {
  const roots = await hierarchies()
  if (roots.length === 0) return `there are none at ${top}`
  try {
    for (const root of roots) {
      const attempt = join(root, `${ours}-try-${process.pid}`)
      await mkdir(attempt)
      await rmdir(attempt)
    }
    return undefined
  } catch (error) {
    return describe(error)
  }
}

/** Removes all control groups of a bed, whose processes have ended. */
export async function removeCgroups(bed: string): Promise<void> {
  for (const root of await hierarchies()) {
    const path = join(root, ours, bed)
    if (!existsSync(path)) continue
    // The kernel releases the last process of a group a moment after its end.
    await poll(`the end of control group ${path}`, () => removeTree(path), 20)
    await rmdir(join(root, ours)).catch(() => undefined)
  }
}

/** A process in the control group whose last part is `name`, below a host's; undefined without one. */
export async function memberOf(bed: string, host: string, name: string): Promise<number | undefined> {
  const [root = top] = await hierarchies()
  const own = join(root, cgroupOf(bed, host))
  const paths = await readdir(own, { recursive: true }).catch(() => [])
  const lists = paths.filter((path) => path.split('/').includes(name) && path.endsWith('/cgroup.procs'))
  for (const list of lists) {
    const [pid] = (await readFile(join(own, list), 'utf8').catch(() => '')).split('\n')
    if (pid !== undefined && pid !== '') return Number(pid)
  }
  return undefined
}

/**
 * The CPU time in milliseconds of everything in a control group, including ended processes. The group is the one whose
 * last part is `name`, below a host's.
 */
export async function cpuOf(bed: string, host: string, name: string): Promise<number> {
  for (const root of await hierarchies()) {
    const own = join(root, cgroupOf(bed, host))
    const path = (await readdir(own, { recursive: true }).catch(() => [])).find((one) => basename(one) === name)
    if (path === undefined) continue
    const read = (file: string): Promise<string> => readFile(join(own, path, file), 'utf8').catch(() => '')
    const nanoseconds = await read('cpuacct.usage')
    if (nanoseconds !== '') return Number(nanoseconds) / 1e6
    // If both versions exist, the processes are in the groups of version 1.
    const microseconds = /^usage_usec (\d+)$/m.exec(await read('cpu.stat'))?.[1]
    if (microseconds !== undefined && dirname(root) !== top) return Number(microseconds) / 1e3
  }
  throw new CulvertError('command', `no control group counts the CPU of ${name}`)
}

/** True once a group and all below it are gone. */
async function removeTree(path: string): Promise<true | undefined> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => [])
  for (const entry of entries) if (entry.isDirectory()) await removeTree(join(path, entry.name))
  await rmdir(path).catch(() => undefined)
  return existsSync(path) ? undefined : true
}

/** The roots of the hierarchies: one (version 2), or one for each controller and perhaps one of version 2 as well. */
async function hierarchies(): Promise<string[]> {
  if (existsSync(join(top, 'cgroup.procs'))) return [top]
  const names = await readdir(top).catch(() => [])
  return names.map((name) => join(top, name)).filter((path) => existsSync(join(path, 'cgroup.procs')))
}
