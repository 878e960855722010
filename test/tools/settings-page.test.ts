import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { settingsPage } from '../../tools/settings-page.ts'

it('docs/settings.md is what `npm run format` makes of the list of variables', () => {
  expect(readFileSync(join(import.meta.dirname, '../../docs/settings.md'), 'utf8')).toBe(settingsPage())
})
