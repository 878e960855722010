import { dirname } from 'node:path'
import { execa } from 'execa'

const root = dirname(import.meta.dirname)

/** One development program of node_modules/.bin, its output passed through. */
export type Step = { readonly name: string; readonly program: string; readonly args: readonly string[] }

/** Runs the steps in order and says how long each took; gives the names of those that failed. */
export async function runSteps(steps: readonly Step[]): Promise<string[]> {
  const failed: string[] = []
  for (const [index, { name, program, args }] of steps.entries()) {
    const started = Date.now()
    const result = await execa(program, args, { cwd: root, preferLocal: true, stdio: 'inherit', reject: false })
    const outcome = result.failed ? 'FAILED' : 'ok'
    console.log(`[${index + 1}/${steps.length}] ${name}: ${outcome}, ${((Date.now() - started) / 1000).toFixed(1)} s`)
    if (result.failed) failed.push(name)
  }
  return failed
}

/** Everything that can be said about the source without running it. */
export const staticSteps: readonly Step[] = [
  { name: 'format', program: 'oxfmt', args: ['--check', '.'] },
  { name: 'lint', program: 'oxlint', args: ['--type-aware', '--deny-warnings'] },
  { name: 'types', program: 'tsc', args: [] },
]
