import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openBed } from '../bed.ts'
import { readRecord } from '../namespaces/record.ts'
import { buildCross, crossParts, crossStages } from '../images/cross.ts'
import { buildImage, buildOperatorImage } from '../images/image.ts'
import { missing } from '../parts/build.ts'
import { progress } from '../progress.ts'
import { prepare } from '../ready.ts'
import { nameHelp, nameOption, parse, UsageError, type Verb } from './verb.ts'

export const image: Verb = {
  name: 'image',
  summary: "build the agent's or the operator's image; import it into a cluster",
  help: `npm run lab -- image [--operator] [--name NAME] [--arch arm64]

Builds the agent's image from the project's Dockerfile and writes it as an archive to the cache. If the bed has a
cluster, its nodes get the image.

${nameHelp}
  --operator    the operator's image instead
  --arch arm64  build the stages for another architecture that can be built here`,
  run: async (args) => {
    const options = { ...nameOption, arch: { type: 'string' }, operator: { type: 'boolean' } } as const
    const { values } = parse({ args: [...args], options })
    if (values.arch !== undefined) return await forArch(values.arch)
    const preparation = await prepare('image')
    const cluster = (await readRecord(values.name))?.cluster !== undefined
    const steps = progress(preparation.steps + (cluster ? 2 : 1))
    await preparation.run(steps)
    const build = values.operator === true ? buildOperatorImage : buildImage
    const { reference, archive, digest, bytes } = await steps.step('build the image', build)
    if (cluster) {
      const bed = await openBed(values.name)
      await steps.step(`import it into bed ${values.name}`, () => bed.cluster.importImage(archive))
    }
    console.log(`${reference}\n  ${digest}\n  ${archive}, ${Math.round(bytes / 1e6)} MB`)
    return 0
  },
}

async function forArch(arch: string): Promise<number> {
  if (arch !== 'arm64') throw new UsageError(`--arch ${arch}: only arm64 is known, beside this machine's own`)
  const preparation = await prepare('image')
  const steps = progress(preparation.steps + missing(await crossParts(arch)).length + 1)
  await preparation.run(steps)
  const into = await mkdtemp(join(tmpdir(), 'culvert-image-'))
  try {
    await buildCross(arch, into, steps)
  } finally {
    await rm(into, { recursive: true })
  }
  console.log(
    `The stages ${crossStages.join(' and ')} were built for ${arch}; the last one needs a machine that runs it.`,
  )
  return 0
}
