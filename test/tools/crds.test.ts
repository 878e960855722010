import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { crdFiles } from '../../tools/crds.ts'

it('operator/crds/ is what `npm run format` makes of the schemas', () => {
  const folder = join(import.meta.dirname, '../../operator/crds')
  const present = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')] as const)
  expect(new Map(present)).toEqual(crdFiles())
})
