import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../run.ts'
import type { Part } from './part.ts'

const list = join(import.meta.dirname, 'python/requirements.txt')

/** Debian's, whatever else is in PATH. */
const python = '/usr/bin/python3'

/** Packages of Python, for PYTHONPATH. Some hold machine code for one version of Python, which Debian's release has. */
export const pythonPackages: Part<'python-packages'> = {
  name: 'python-packages',
  inputs: async () => `${await readFile('/etc/os-release', 'utf8').catch(() => '')}\n${await readFile(list, 'utf8')}`,
  build: async (into) => {
    const how = ['--quiet', '--root-user-action=ignore', '--no-deps', `--target=${into}`]
    await run([python, '-m', 'pip', 'install', ...how, `--requirement=${list}`], { timeout: 600_000 })
  },
}
