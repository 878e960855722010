import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../run.ts'
import type { Part } from './part.ts'

/** Of Debian's prometheus, which is not installed: it would bring a service along. */
export const promtool: Part<'promtool'> = {
  name: 'promtool',
  inputs: async () => '1',
  build: async (into) => {
    const folder = join(into, 'package')
    await mkdir(folder)
    const download = () => run(['apt-get', 'download', 'prometheus'], { cwd: folder, timeout: 600_000 })
    // Without a list of packages, or with an old one.
    await download().catch(async () => {
      await run(['apt-get', 'update'], { timeout: 600_000 })
      await download()
    })
    const [archive = ''] = await readdir(folder)
    await run(['dpkg-deb', '--extract', join(folder, archive), folder], { timeout: 600_000 })
    await rename(join(folder, 'usr/bin/promtool'), join(into, 'promtool'))
    await rm(folder, { recursive: true })
  },
}
