import { CulvertError } from '../../lib/errors.ts'
import { build, missing, place } from './parts/build.ts'
import { gatherFacts } from './parts/facts.ts'
import { installPackages } from './parts/packages.ts'
import { demand } from './parts/prerequisites.ts'
import { parts, type PartName } from './parts/table.ts'
import { cacheRoot } from './paths.ts'
import { progress } from './progress.ts'

/** The directory of each part. */
export type Programs = Readonly<Record<PartName, string>>

/** What is still to be done before a bed can be started. */
export type Preparation = {
  /** How many steps of progress it takes. */
  readonly steps: number
  readonly run: (on: ReturnType<typeof progress>) => Promise<Programs>
}

/**
 * Looks at the machine and at the cache. Throws CulvertError `privilege`, one line for each thing that the lab cannot
 * put right by itself, before anything is installed or built.
 */
export async function prepare(): Promise<Preparation> {
  const facts = await gatherFacts()
  demand(facts)
  const cache = cacheRoot()
  const placed = await place(cache, parts)
  const toBuild = missing(placed)
  const toInstall = facts.missingPackages
  return {
    steps: (toInstall.length > 0 ? 2 : 0) + toBuild.length,
    run: async (on) => {
      if (toInstall.length > 0) await installPackages(toInstall, on)
      await build(cache, toBuild, on)
      return Object.fromEntries(placed.map(({ part, directory }) => [part.name, directory])) as Programs
    },
  }
}

/** Installs and builds whatever is missing, telling how it goes on standard error. */
export async function ensureReady(): Promise<Programs> {
  const preparation = await prepare()
  return await preparation.run(progress(preparation.steps))
}

/** The parts, if all are built; quick, nothing is looked at but the cache. */
export async function builtPrograms(): Promise<Programs> {
  const placed = await place(cacheRoot(), parts)
  const absent = missing(placed).map(({ part }) => part.name)
  if (absent.length > 0) {
    throw new CulvertError('command', `not built yet: ${absent.join(', ')}`, { remedy: 'Run `npm run lab -- build`' })
  }
  return Object.fromEntries(placed.map(({ part, directory }) => [part.name, directory])) as Programs
}
