import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The project's top folder. */
export const projectRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** The directory of the state of all beds: short, because a unix socket's path is limited to 108 bytes. */
export const bedsRoot = '/run/culvert-lab'

/** The Go programs' own module. */
export const controlSource = join(projectRoot, 'test/lab/control')

/**
 * The directory of built parts: CULVERT_CACHE, else `culvert` in XDG_CACHE_HOME, else `~/.cache/culvert`. Relative
 * values are resolved against the working directory.
 */
export function cacheRoot(env: NodeJS.ProcessEnv = process.env): string {
  const chosen = env['CULVERT_CACHE']
  if (chosen !== undefined && chosen !== '') return isAbsolute(chosen) ? chosen : join(process.cwd(), chosen)
  const xdg = env['XDG_CACHE_HOME']
  return join(xdg !== undefined && isAbsolute(xdg) ? xdg : join(homedir(), '.cache'), 'culvert')
}
