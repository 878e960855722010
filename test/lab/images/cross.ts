import { join } from 'node:path'
import { build, missing, place, type Placed } from '../parts/build.ts'
import { goProgram } from '../parts/go.ts'
import { control } from '../parts/module.ts'
import { cacheRoot, projectRoot } from '../paths.ts'
import type { Progress } from '../progress.ts'
import { makeMissing, tailscaleBase } from './base-images.ts'
import { buildImageOf, unpack, withImages } from './builder.ts'
import { agentArguments } from './image.ts'

/** The stages of the Dockerfile that run no program of their target architecture. */
export const crossStages = ['daemon', 'bundle'] as const

/** The parts for `arch`, in Docker's and Go's naming, that this machine's architecture does not need. */
export async function crossParts(arch: string): Promise<Placed[]> {
  return await place(
    cacheRoot(),
    (['tailscale', 'tailscaled'] as const).map((name) =>
      goProgram({ name: `${name}-${arch}`, module: control, package: `tailscale.com/cmd/${name}`, arch }),
    ),
  )
}

/**
 * Builds the stages that can be built here for another architecture, and leaves the files of each in a directory of
 * `into` with its name. The last stage cannot be built: it runs Debian's programs of that architecture.
 */
export async function buildCross(arch: string, into: string, progress: Progress): Promise<void> {
  const parts = await crossParts(arch)
  await build(cacheRoot(), missing(parts), progress)
  const programs = parts.map(({ part, directory }) => [part.name.replace(`-${arch}`, ''), join(directory, part.name)])
  const tailscale = tailscaleBase(programs as [string, string][])
  await progress.step(`build stages for ${arch}`, async (note) => {
    await withImages(note, async (bases) => {
      await makeMissing([{ ...tailscale, arch }], note)
      const args = agentArguments({ ...bases, tailscale: tailscale.name })
      for (const stage of crossStages) {
        const what = [`--platform=linux/${arch}`, `--target=${stage}`]
        await unpack(await buildImageOf([...what, ...args, projectRoot], note), join(into, stage))
      }
    })
  })
}
