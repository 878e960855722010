import { join } from 'node:path'
import { build, missing, place } from './parts/build.ts'
import { groups } from './parts/table.ts'
import { cacheRoot, projectRoot } from './paths.ts'
import { noProgress } from './progress.ts'
import { run, type Ran, type RunOptions } from './run.ts'

/** The project's chart. */
export const chart = join(projectRoot, 'charts/culvert')

/** The environment of helm: nothing of this machine's user, such as plugins, has a say. */
export const helmEnvironment = (home: string): Record<string, string> => ({ HOME: home, PATH: '/usr/bin:/bin' })

/** Runs helm without a cluster, such as `helm template`; it is built first if it is missing. */
export async function helm(argv: readonly string[], options: Omit<RunOptions, 'env'> = {}): Promise<Ran> {
  const [placed] = await place(
    cacheRoot(),
    groups.cluster.filter(({ name }) => name === 'helm'),
  )
  await build(cacheRoot(), missing([placed!]), noProgress())
  return await run([join(placed!.directory, 'helm'), ...argv], { ...options, env: helmEnvironment('/nonexistent') })
}
