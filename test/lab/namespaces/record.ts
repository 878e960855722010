import { mkdir, readFile, readdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CulvertError } from '../../../lib/errors.ts'
import { bedsRoot } from '../paths.ts'
import type { HostSpec } from '../spec.ts'
import type { Addressing } from '../cluster/addresses.ts'
import type { Address } from './addresses.ts'
import { bootId, type Proc } from './procs.ts'

export type HostRecord = {
  readonly name: string
  readonly spec: HostSpec
  readonly address: Address
  readonly holder: Proc
  /** Its number among the cluster's nodes, if it is one. */
  readonly node?: number
  /** The host's tailscaled, if the bed started one. */
  readonly tailscaled?: Proc
}

/** What is recorded of a bed, in `bed.json`: enough to use it, show it and end it from another process. */
export type BedRecord = {
  readonly name: string
  readonly boot: string
  readonly created: string
  /** The process that owns the bed; without one the bed stays until it is taken down. */
  readonly owner?: Proc
  readonly holder?: Proc
  readonly control?: Proc
  readonly acme?: Proc
  /** The bed whose control server and certificate authority it has, instead of its own. */
  readonly tailnet?: string | undefined
  /** The number of nodes of the cluster, and its addresses, if there is one. */
  readonly cluster?: (Addressing & { readonly nodes: number }) | undefined
  /** Further programs that run as long as the bed does, by the name of their log. */
  readonly others?: Readonly<Record<string, Proc>>
  readonly hosts: readonly HostRecord[]
}

/** The paths of a bed's files. */
export function pathsOf(name: string) {
  const top = join(bedsRoot, name)
  return {
    top,
    record: join(top, 'bed.json'),
    logs: join(top, 'logs'),
    /** The mount point of the hosts' own files, in the bed's mount namespace only. */
    files: join(top, 'files'),
    controlSocket: join(top, 'control.sock'),
    acme: join(top, 'acme'),
  } as const
}

const namePattern = /^[a-z][a-z0-9-]{0,30}$/

/** Throws CulvertError `settings` for an invalid name of a bed. */
export function checkBedName(name: string): void {
  if (namePattern.test(name)) return
  throw new CulvertError('settings', `"${name}" cannot name a bed`, {
    remedy: 'Use at most 31 lower-case letters, digits and dashes, a letter first',
  })
}

/** Claims the name for a new bed. False when a bed of that name exists, or remains of one. */
export async function claim(record: BedRecord): Promise<boolean> {
  const paths = pathsOf(record.name)
  for (let made = false; !made;) {
    await mkdir(bedsRoot, { recursive: true, mode: 0o755 })
    try {
      await mkdir(paths.top, { mode: 0o700 })
      made = true
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EEXIST') return false
      // The end of another bed, the last one until now, has removed the directory of all.
      if (code !== 'ENOENT') throw error
    }
  }
  await mkdir(paths.logs)
  await writeRecord(record)
  return true
}

async function writeRecord(record: BedRecord): Promise<void> {
  const path = pathsOf(record.name).record
  await writeFile(`${path}.new`, `${JSON.stringify(record, undefined, 2)}\n`)
  await rename(`${path}.new`, path)
}

let changed: Promise<unknown> = Promise.resolve()

/**
 * Changes the record of a bed, one change of this process after the other. Throws CulvertError `command` when it is
 * gone.
 */
export async function updateRecord(name: string, change: (record: BedRecord) => BedRecord): Promise<BedRecord> {
  const changing = changeAfter(changed, name, change)
  changed = changing.catch(() => undefined)
  return await changing
}

async function changeAfter(
  earlier: Promise<unknown>,
  name: string,
  change: (record: BedRecord) => BedRecord,
): Promise<BedRecord> {
  await earlier
  const record = await readRecord(name)
  if (record === undefined) throw new CulvertError('command', `bed ${name} was taken down meanwhile`)
  const next = change(record)
  await writeRecord(next)
  return next
}

/** The record of a bed, or undefined without a readable one (a bed that is being made or removed). */
export async function readRecord(name: string): Promise<BedRecord | undefined> {
  try {
    const record = JSON.parse(await readFile(pathsOf(name).record, 'utf8')) as BedRecord
    // Process numbers of an earlier boot mean nothing.
    if (record.boot === bootId()) return record
    const { holder: _holder, control: _control, acme: _acme, others: _others, ...rest } = record
    return { ...rest, hosts: [] }
  } catch {
    return undefined
  }
}

/** The names of all beds that left anything on disk. */
export async function bedNames(): Promise<string[]> {
  try {
    return (await readdir(bedsRoot)).filter((name) => namePattern.test(name)).toSorted()
  } catch {
    return []
  }
}
