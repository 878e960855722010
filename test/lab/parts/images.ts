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

/** A change of how these are put together is a change of this number. */
const recipe = '1'

/** Where Debian's containernetworking-plugins are. */
const debianPlugins = '/usr/lib/cni'

/** The network plugins that a node uses, in one directory, as containerd wants them: Debian's and one of ours. */
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

/** Images that every node has, as archives: what holds a Pod's namespaces, and a small one to test with. */
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
      // The names of its programs, as links to itself.
      await run(['chroot', tools, '/bin/busybox', '--install', '-s', '/bin'])
      await makeImage({ reference: pauseImage, root: pause, entrypoint: ['/pause'], file: join(into, 'pause.tar') })
      await makeImage({ reference: toolsImage, root: tools, entrypoint: [], file: join(into, 'tools.tar') })
    } finally {
      await rm(work, { recursive: true, force: true })
    }
  },
}
