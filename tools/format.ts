import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { runSteps } from './programs.ts'
import { settingsPage } from './settings-page.ts'

// Formats the source, and regenerates the pages that are made from it.
await writeFile(join(dirname(import.meta.dirname), 'docs', 'settings.md'), settingsPage())
process.exitCode = (await runSteps([{ name: 'format', program: 'oxfmt', args: ['.'] }])).length
