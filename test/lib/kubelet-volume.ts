import { mkdir, mkdtemp, readdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'

/**
 * Writes files into `directory` as kubelet updates a Secret or ConfigMap volume: into a new directory, to which the
 * link `..data` is then switched atomically; each file is a link through `..data`.
 */
export async function writeVolume(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(directory, { recursive: true })
  const data = join(directory, '..data')
  const old = await readlink(data).catch(() => undefined)
  const fresh = await mkdtemp(join(directory, '..2026_'))
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(fresh, name), text)))
  await symlink(basename(fresh), `${data}_tmp`)
  await rename(`${data}_tmp`, data)
  const entries = await readdir(directory, { withFileTypes: true })
  const present = entries.flatMap((entry) =>
    entry.isSymbolicLink() && !entry.name.startsWith('..') ? [entry.name] : [],
  )
  for (const name of Object.keys(files)) {
    if (!present.includes(name)) await symlink(join('..data', name), join(directory, name))
  }
  for (const name of present) {
    if (!(name in files)) await rm(join(directory, name))
  }
  if (old !== undefined) await rm(join(directory, old), { recursive: true })
}
