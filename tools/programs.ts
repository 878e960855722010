import { dirname } from 'node:path'
import { execa } from 'execa'

const root = dirname(import.meta.dirname)

/** A development program in node_modules/.bin. */
export type Step = { readonly name: string; readonly program: string; readonly args: readonly string[] }

/**
 * Runs the steps concurrently, and prints the output and duration of each when it has ended; gives the names of the
 * failed ones.
 */
export async function runSteps(steps: readonly Step[]): Promise<string[]> {
  let ended = 0
  const outcomes = await Promise.all(
    steps.map(async ({ name, program, args }) => {
      const started = Date.now()
      const { all, failed } = await execa(program, args, { cwd: root, preferLocal: true, all: true, reject: false })
      ended += 1
      const took = ((Date.now() - started) / 1000).toFixed(1)
      if (failed) console.log(all)
      console.log(`[${ended}/${steps.length}] ${name}: ${failed ? 'FAILED' : 'ok'}, ${took} s`)
      return failed ? [name] : []
    }),
  )
  return outcomes.flat()
}

/** All static checks. */
export const staticSteps: readonly Step[] = [
  { name: 'format', program: 'oxfmt', args: ['--check', '.'] },
  { name: 'lint', program: 'oxlint', args: ['--type-aware', '--deny-warnings'] },
  { name: 'types', program: 'tsc', args: [] },
  { name: 'types for browsers', program: 'tsc', args: ['--project', 'recorder/web/browser'] },
]
