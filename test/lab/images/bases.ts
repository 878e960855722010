import { copyFile, mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import packageJson from '../../../package.json' with { type: 'json' }
import type { Part } from '../parts/part.ts'
import { projectRoot } from '../paths.ts'
import { run } from '../run.ts'
import { isolated } from './buildah.ts'
import { debianMirrors, suite } from './machine.ts'

// Replacements for the base images that the Dockerfile names, which need an image registry.

/** Must be increased when the way in which these are built changes. */
const recipe = '1'
const npm = 'npm@11.19.1'

/** What Debian's slim images leave out, also of packages that are installed later. */
const left = ['doc', 'man', 'locale', 'info'].map((name) => `/usr/share/${name}`)
const slim = `${left.map((path) => `path-exclude ${path}/*`).join('\n')}\npath-include /usr/share/doc/*/copyright\n`

/** What debootstrap copies from this machine, and what is no longer needed. */
const foreign = ['etc/hostname', 'etc/resolv.conf', 'etc/apt/sources.list', 'var/cache/*', 'var/log/*', 'dev/*']

/** `rootfs.tar`: Debian as in its slim image. */
export const debian: Part<'debian'> = {
  name: 'debian',
  inputs: async () => `${recipe}\n${suite}\n${slim}`,
  build: async (into) => {
    const root = join(into, 'rootfs')
    const { main } = await debianMirrors()
    await run([...isolated, 'debootstrap', '--variant=minbase', suite, root, main], { timeout: 600_000 })
    const docs = ['-not', '-type', 'd', '-not', '-name', 'copyright', '-delete']
    await run(['find', ...left.map((path) => join(root, path)), ...docs])
    await writeFile(join(root, 'etc/dpkg/dpkg.cfg.d/slim'), slim)
    const excluded = [...foreign, 'var/lib/apt/lists/*'].map((path) => `--exclude=./${path}`)
    await run([
      'tar',
      '--create',
      '--numeric-owner',
      ...excluded,
      '--file',
      join(into, 'rootfs.tar'),
      '--directory',
      root,
      '.',
    ])
    await rm(root, { recursive: true })
  },
}

const nodePackage = `node-linux-${process.arch}` as keyof typeof packageJson.optionalDependencies

/** `usr/local` of Node's image: the project's Node, and npm. */
export const node: Part<'node'> = {
  name: 'node',
  inputs: async () => `${recipe}\n${packageJson.optionalDependencies[nodePackage]}\n${npm}`,
  build: async (into) => {
    const [bin, lib] = [join(into, 'usr/local/bin'), join(into, 'usr/local/lib')]
    await mkdir(bin, { recursive: true })
    await run(['npm', 'install', '--prefix', lib, '--ignore-scripts', npm], { timeout: 300_000 })
    await copyFile(join(projectRoot, 'node_modules', nodePackage, 'bin/node'), join(bin, 'node'))
    await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(bin, 'npm'))
  },
}
