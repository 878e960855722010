import { runSteps } from './programs.ts'

// Rewrites the source in the project's format.
process.exitCode = (await runSteps([{ name: 'format', program: 'oxfmt', args: ['.'] }])).length
