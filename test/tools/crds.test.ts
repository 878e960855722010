import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { crdFiles, crdFolders } from '../../tools/crds.ts'

it.each(crdFolders)('%s is what `npm run format` makes of the schemas', (name) => {
  const folder = join(import.meta.dirname, '../..', name)
  const present = readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), 'utf8')] as const)
  expect(new Map(present)).toEqual(crdFiles())
})
