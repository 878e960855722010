import { rm, rmdir } from 'node:fs/promises'
import { bedsRoot } from '../paths.ts'
import { poll } from '../poll.ts'
import { removeCgroups } from './cgroups.ts'
import { isHolder } from './holder.ts'
import { allPids, argvOf, isAlive, signal, startTime, type Proc } from './procs.ts'
import { bedNames, pathsOf, readRecord } from './record.ts'

/**
 * Ends a bed and removes everything it made. The same works for a bed that is half made, whose record is lost, or that
 * is already gone, so this can be repeated. Returns whether there was anything.
 */
export async function tearDown(name: string): Promise<boolean> {
  const record = await readRecord(name)
  const holders = holdersOf(name)
  // One that is exiting has no marker any more.
  const recorded = [record?.holder, ...(record?.hosts ?? []).map(({ holder }) => holder)]
  for (const holder of recorded) if (holder !== undefined && isAlive(holder)) holders.push(holder)
  // All at once: the end of the bed's own holder also ends the hosts'.
  for (const { pid } of holders) signal(pid, 'SIGKILL')
  for (const pid of helpersOf(holders)) signal(pid, 'SIGCONT')
  await poll(`the end of bed ${name}`, () => (holders.some(isAlive) ? undefined : true))
  await removeCgroups(name)
  const existed = holders.length > 0 || record !== undefined || (await bedNames()).includes(name)
  await rm(pathsOf(name).top, { recursive: true, force: true })
  // The last one removes the directory, too; with other beds in it, it is not empty and stays.
  await rmdir(bedsRoot).catch(() => undefined)
  return existed
}

/** The running holders of a bed, found by their marker. */
function holdersOf(name: string): Proc[] {
  return allPids().flatMap((pid) => {
    // It may end at any moment, as others may end the bed, too.
    const start = isHolder(argvOf(pid), name) ? startTime(pid) : undefined
    return start === undefined ? [] : [{ pid, start }]
  })
}

/**
 * The parents outside of processes inside. Stopped along with its child, such a parent would not notice the child's
 * end, and the namespaces would stay for ever.
 */
function helpersOf(holders: readonly Proc[]): number[] {
  const targets = new Set(holders.map(({ pid }) => String(pid)))
  return allPids().filter((pid) => {
    const argv = argvOf(pid)
    return argv[0] === 'nsenter' && targets.has(argv[argv.indexOf('--target') + 1] ?? '')
  })
}

/** Every bed of which there is anything: on disk, or only as processes. */
export async function allBeds(): Promise<string[]> {
  const running = allPids().flatMap((pid) => {
    const argv = argvOf(pid)
    return isHolder(argv)
      ? [argv.find((one) => one.startsWith('CULVERT_LAB='))?.slice('CULVERT_LAB='.length) ?? '']
      : []
  })
  return [...new Set([...(await bedNames()), ...running])].filter((name) => name !== '').toSorted()
}

/** Ends the beds whose owner has died without ending them. Returns their names. */
export async function sweep(): Promise<string[]> {
  const swept: string[] = []
  for (const name of await bedNames()) {
    const record = await readRecord(name)
    if (record?.owner === undefined || isAlive(record.owner)) continue
    if (await tearDown(name)) swept.push(name)
  }
  return swept
}
