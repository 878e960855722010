import { copyFile, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeImage } from '../cluster/archive.ts'
import { toolsImage, pauseImage } from '../cluster/images.ts'
import { run } from '../run.ts'
import { goBuild, goInputs } from './go.ts'
import { pods } from './module.ts'
import type { Part } from './part.ts'

const program = (name: string) => ({ module: pods, package: `./${name}`, ownSource: true }) as const

/** Must be increased when the way in which these are built changes. */
const recipe = '1'

/** The directory of Debian's containernetworking-plugins. */
const debianPlugins = '/usr/lib/cni'

/** The network plugins of a node, in one directory, as containerd requires: Debian's and one of ours. */
export const networkPlugins: Part<'network-plugins'> = {
  name: 'network-plugins',
  inputs: async () => `${recipe}\n${await goInputs(program('settle'))}`,
  build: async (into, note) => {
    await goBuild(program('settle'), join(into, 'settle'), note)
    for (const name of ['host-local', 'loopback', 'portmap', 'ptp']) {
      await symlink(join(debianPlugins, name), join(into, name))
    }
  },
}

/** The images of every node, as archives: the one that holds a Pod's namespaces, and a small one for tests. */
export const images: Part<'images'> = {
  name: 'images',
  inputs: async () => `${recipe}\n${await goInputs(program('...'))}`,
  build: async (into, note) => {
    const work = await mkdtemp(join(tmpdir(), 'culvert-images-'))
    try {
      const [pause, tools] = [join(work, 'pause'), join(work, 'tools')]
      await Promise.all([mkdir(pause), mkdir(join(tools, 'bin'), { recursive: true })])
      await goBuild(program('pause'), join(pause, 'pause'), note)
      await goBuild(program('echo'), join(tools, 'bin/echo-server'), note)
      await copyFile('/bin/busybox', join(tools, 'bin/busybox'))
      // Links for the names of its programs.
      await run(['chroot', tools, '/bin/busybox', '--install', '-s', '/bin'])
      await makeImage({ reference: pauseImage, root: pause, entrypoint: ['/pause'], file: join(into, 'pause.tar') })
      await makeImage({ reference: toolsImage, root: tools, entrypoint: [], file: join(into, 'tools.tar') })
    } finally {
      await rm(work, { recursive: true, force: true })
    }
  },
}
