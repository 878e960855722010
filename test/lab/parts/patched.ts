import { chmod, copyFile, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { moduleSource } from './go.ts'
import { type GoModule, tailscale104 } from './module.ts'

/** A release of tailscale, and how to build in its module. */
export type Release = {
  readonly module: GoModule
  /** What is done to the module's source; another text makes other parts. */
  readonly recipe: string
  /** Has `build` called with the module in which to build. */
  readonly prepared: (build: (module: GoModule) => Promise<void>) => Promise<void>
}

/** A release whose modules the module proxy has as they are. */
export const asReleased = (module: GoModule): Release => ({ module, recipe: '', prepared: (build) => build(module) })

/**
 * tailscale 1.104 sets an option of gvisor, on Windows only, that is not in the newest gvisor of the module proxy: that
 * line is left out of a copy of its source.
 */
export const patched104: Release = {
  module: tailscale104,
  recipe: 'without ClockResolution',
  prepared: async (build) => {
    const work = await mkdtemp(join(tmpdir(), 'culvert-release-'))
    try {
      const { directory } = tailscale104
      for (const name of ['go.mod', 'go.sum']) await copyFile(join(directory, name), join(work, name))
      const source = join(work, 'tailscale')
      await cp(await moduleSource(tailscale104, 'tailscale.com'), source, { recursive: true })
      const file = join(source, 'wgengine/netstack/netstack.go')
      const lines = (await readFile(file, 'utf8')).split('\n')
      // Files of the module cache are read-only.
      await chmod(file, 0o644)
      await writeFile(file, lines.filter((line) => !line.includes('opts.ClockResolution')).join('\n'))
      const definition = await readFile(join(work, 'go.mod'), 'utf8')
      await writeFile(join(work, 'go.mod'), `${definition}\nreplace tailscale.com => ./tailscale\n`)
      await build({ ...tailscale104, directory: work })
    } finally {
      await rm(work, { recursive: true, force: true })
    }
  },
}
