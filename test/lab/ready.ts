import { CulvertError } from '../../lib/errors.ts'
import { tailscaleVersion } from '../../wire/capability-version.ts'
import { build, missing, place, type Placed } from './parts/build.ts'
import { gatherFacts } from './parts/facts.ts'
import { installPackages } from './parts/packages.ts'
import type { Part } from './parts/part.ts'
import { requirePrerequisites } from './parts/prerequisites.ts'
import { groups, type Group, longGroups, type PartName } from './parts/table.ts'
import { cacheRoot } from './paths.ts'
import type { Progress } from './progress.ts'
import { release } from './release.ts'

/** The directories of the parts of some groups. */
export type Programs<G extends Group = 'tailnet'> = Readonly<Record<PartName<G>, string>>

/** What is still to be done before a bed can be started. */
export type Preparation = {
  /** The number of its progress steps. */
  readonly steps: number
  /** Returns the directory of each part. */
  readonly run: (on: Progress) => Promise<Readonly<Record<string, string>>>
}

/**
 * Checks the machine and the cache for what beds need, in some cases including a cluster. Throws CulvertError
 * `privilege`, one line for each thing that the lab cannot fix by itself, before anything is installed or built.
 */
export async function prepare(...wanted: readonly Group[]): Promise<Preparation> {
  const all = withTailnet(wanted)
  const facts = await gatherFacts(all)
  requirePrerequisites(facts)
  const cache = cacheRoot()
  const placed = await place(cache, partsOf(all))
  const toBuild = missing(placed)
  const toInstall = facts.missingPackages
  return {
    steps: (toInstall.length > 0 ? 2 : 0) + toBuild.length,
    run: async (on) => {
      if (toInstall.length > 0) await installPackages(toInstall, on)
      await build(cache, toBuild, on)
      return directories(placed)
    },
  }
}

/** The parts of some groups, if all are built; quick, since it only looks at the cache. */
export async function builtPrograms<G extends Group = 'tailnet'>(
  ...wanted: readonly G[]
): Promise<Programs<G | 'tailnet'>> {
  const placed = await place(cacheRoot(), partsOf(withTailnet(wanted)))
  const absent = missing(placed).map(({ part }) => part.name)
  if (absent.length > 0) {
    throw new CulvertError('command', `not built yet: ${absent.join(', ')}`, {
      remedy: `Run \`npm run lab -- build${longGroups.some((group) => wanted.includes(group as G)) ? ' --releases' : ''}\``,
    })
  }
  return directories(placed) as Programs<G | 'tailnet'>
}

/** The programs of every bed. CULVERT_TEST_TAILSCALED=1.80, or another release that is built, replaces tailscaled. */
export async function bedPrograms(): Promise<Programs> {
  if (release === tailscaleVersion) return await builtPrograms()
  const programs = await builtPrograms('releases')
  const found = Object.entries(programs).find(([name]) => name === `tailscale-${release}`)
  if (found === undefined) throw new CulvertError('settings', `there is no part tailscale-${release}`)
  return { ...programs, tailscale: found[1], tailscaled: found[1] }
}

function withTailnet(wanted: readonly Group[]): Group[] {
  return [...new Set<Group>(['tailnet', ...wanted])]
}

function partsOf(wanted: readonly Group[]): Part[] {
  return wanted.flatMap((group): readonly Part[] => groups[group])
}

function directories(placed: readonly Placed[]): Record<string, string> {
  return Object.fromEntries(placed.map(({ part, directory }) => [part.name, directory]))
}
