import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { checkPage } from './check-page.ts'
import { crdFiles, crdFolders } from './crds.ts'
import { logPage } from './log-page.ts'
import { operatorManifest } from './manifest.ts'
import { operatorPage } from './operator-page.ts'
import { runSteps } from './programs.ts'
import { settingsPage } from './settings-page.ts'

// Formats the source, and regenerates the pages and manifests that are made from it.
const root = dirname(import.meta.dirname)
await writeFile(join(root, 'docs', 'settings.md'), settingsPage())
await writeFile(join(root, 'docs', 'log.md'), logPage())
await writeFile(join(root, 'docs', 'check.md'), checkPage())
await writeFile(join(root, 'docs', 'operator-settings.md'), operatorPage())
for (const folder of crdFolders) for (const [name, text] of crdFiles()) await writeFile(join(root, folder, name), text)
await writeFile(join(root, 'docs', 'examples', 'operator.yaml'), await operatorManifest())
process.exitCode = (await runSteps([{ name: 'format', program: 'oxfmt', args: ['.'] }])).length
