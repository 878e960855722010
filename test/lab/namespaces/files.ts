import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { run } from '../run.ts'
import { enter } from './enter.ts'
import type { Address } from './addresses.ts'

/** These directories are private to a host, start empty, and are gone with the bed. */
const empty = ['/tmp', '/run'] as const
/** These start with the machine's content, and writes are private to the host. */
const layered = ['/etc', '/var'] as const

/** Mounts the memory for all files that the bed's hosts write, in the bed's own mount namespace. */
export async function mountMemory(bed: number, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  await run([...enter(bed), 'mount', '-t', 'tmpfs', '-o', 'mode=0755', 'culvert-lab', directory])
}

export type HostFiles = {
  readonly bed: number
  readonly directory: string
  readonly host: string
  readonly pid: number
  /** Directories of the machine that must be visible at their own path although they may be in `/tmp` or `/run`. */
  readonly keep: readonly string[]
  readonly fstab: string
  /** Set for a node of a cluster. */
  readonly node: boolean
}

/**
 * Separate file systems of a node: its container engine mounts images as overlays, which does not work on an overlay,
 * and kubelet identifies file systems by their mount points.
 */
const ofNodes = ['/var/lib/containerd', '/var/lib/kubelet'] as const

/**
 * Kernel settings that kubelet would change for the whole machine, with the values it requires. A node sees files of
 * its own instead.
 */
const covered: Readonly<Record<string, string>> = {
  '/proc/sys/kernel/keys/root_maxbytes': '25000000',
  '/proc/sys/kernel/keys/root_maxkeys': '1000000',
  '/proc/sys/kernel/panic': '10',
  '/proc/sys/kernel/panic_on_oops': '1',
  '/proc/sys/vm/overcommit_memory': '1',
  '/proc/sys/vm/panic_on_oom': '0',
}

/** Gives a host its own files. All mounts are in its own mount namespace. */
export async function mountHostFiles(files: HostFiles): Promise<void> {
  const inside = join(files.directory, files.host)
  const seen = (path: string): string => seenFrom(files.bed, join(inside, path))
  const kept = files.keep.filter((path) => empty.some((top) => path.startsWith(`${top}/`)))
  const directories = ['cgroup', ...empty, ...kept, ...layered.flatMap((path) => [path, `${path}.work`])]
  await Promise.all(directories.map((path) => mkdir(seen(path), { recursive: true })))
  await chmod(seen('/tmp'), 0o1777)
  // As mount points, in the host's own layer.
  const memory = files.node ? ofNodes : []
  await Promise.all(memory.map((path) => mkdir(seen(path), { recursive: true })))
  const settings = files.node ? Object.entries(covered) : []
  await Promise.all(
    settings.map(async ([path, value]) => {
      await mkdir(dirname(seen(path)), { recursive: true })
      await writeFile(seen(path), `${value}\n`)
    }),
  )
  const lines = [
    // A new mount of /sys shows the devices of this network namespace; it comes without the control groups.
    `/sys/fs/cgroup ${inside}/cgroup none rbind`,
    'culvert-lab-sys /sys sysfs defaults',
    `${inside}/cgroup /sys/fs/cgroup none rbind`,
    ...kept.map((path) => `${escape(path)} ${escape(join(inside, path))} none rbind`),
    ...layered.map(
      (path) => `overlay ${path} overlay lowerdir=${path},upperdir=${inside}${path},workdir=${inside}${path}.work`,
    ),
    ...memory.map((path) => `culvert-lab ${path} tmpfs defaults`),
    ...settings.map(([path]) => `${inside}${path} ${path} none bind`),
    // Last, as they hide what the lines above name.
    ...empty.map((path) => `${inside}${path} ${path} none rbind`),
  ]
  await writeFile(files.fstab, lines.map((line) => `${line} 0 0\n`).join(''))
  await run([...enter(files.pid), 'mount', '--all', '--fstab', files.fstab], {
    doing: `mount the files of ${files.host}`,
  })
}

/** Writes the host's name and its name server. */
export async function writeNameFiles(pid: number, host: string, address: Address, nameServer: string): Promise<void> {
  const own = [address.v4, address.v6].filter((one) => one !== undefined).map((one) => `${one} ${host}\n`)
  await Promise.all([
    replace(pid, '/etc/resolv.conf', `nameserver ${nameServer}\n`),
    replace(pid, '/etc/hosts', `127.0.0.1 localhost\n::1 localhost\n${own.join('')}`),
  ])
}

/** Replaces a file: if the machine has a link of that name, its target must stay as it is. */
async function replace(pid: number, path: string, content: string): Promise<void> {
  await rm(seenFrom(pid, path), { force: true })
  await writeFile(seenFrom(pid, path), content)
}

/**
 * The path from here of a path in process `pid`'s mount namespace. Absolute links on the way would be resolved on this
 * side, so the one that every machine has, /var/run, is replaced.
 */
export function seenFrom(pid: number, path: string): string {
  return join(`/proc/${pid}/root`, path.replace(/^\/var\/run(?=\/|$)/, '/run'))
}

/** fstab separates fields by blanks. */
function escape(path: string): string {
  return path.replaceAll('\\', '\\134').replaceAll(' ', '\\040').replaceAll('\t', '\\011')
}
