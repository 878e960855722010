import type { Dirent } from 'node:fs'
import { join } from 'node:path'
import { CulvertError } from '../../lib/errors.ts'

/** An entry of the config directory. */
export type Entry = Pick<Dirent, 'name' | 'isDirectory'>

/** A config file, and the N in its name. */
export type Choice = { readonly path: string; readonly cap: number }

/** The N in the name of a config file; NaN for any other name. */
const capOf = (name: string): number => Number(/^cap-(0|[1-9]\d*)\.hujson$/.exec(name)?.[1])

export const isConfigFile = (name: string): boolean => !Number.isNaN(capOf(name))

/**
 * Chooses the config file for a tailscaled of capability version `version`: the `cap-N.hujson` with the highest N that
 * is not above it. Names with another spelling of N or with a suffix are ignored.
 * @throws CulvertError `settings` naming what is in `directory` and what is needed.
 */
export function chooseConfigFile(directory: string, entries: readonly Entry[], version: number): Choice {
  const names = entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name)
  let best: Choice | undefined
  for (const name of names) {
    const cap = capOf(name)
    if (cap <= version && cap > (best?.cap ?? -1)) best = { path: join(directory, name), cap }
  }
  if (best !== undefined) return best
  const shown = names.length <= 10 ? names : [...names.slice(0, 10), '…']
  throw new CulvertError(
    'settings',
    `there is no usable config file in ${directory}: it has ${shown.length === 0 ? 'no files' : shown.join(', ')}`,
    { remedy: `Provide cap-N.hujson with an N of at most ${version}, the capability version of this tailscaled.` },
  )
}
