import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { operatorPage } from '../../tools/operator-page.ts'

it('docs/operator-settings.md is what `npm run format` makes of the lists of variables and annotations', () => {
  expect(readFileSync(join(import.meta.dirname, '../../docs/operator-settings.md'), 'utf8')).toBe(operatorPage())
})
