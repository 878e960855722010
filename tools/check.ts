import { runSteps, staticSteps } from './programs.ts'

// Format, lint, types and unit tests: what to run before each commit.
const failed = await runSteps([
  ...staticSteps,
  { name: 'unit tests', program: 'vitest', args: ['run', '--project', 'unit'] },
])
if (failed.length > 0) console.log(`failed: ${failed.join(', ')}`)
process.exitCode = failed.length > 0 ? 1 : 0
