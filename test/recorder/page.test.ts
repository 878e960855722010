import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { variables } from '../../recorder/settings.ts'

const page = readFileSync(join(import.meta.dirname, '../../docs/recorder.md'), 'utf8')

it('docs/recorder.md has all settings as they are', () => {
  const rows = variables.map(({ name, flags, effect, ...rest }) => {
    const value = 'default' in rest ? `\`${rest.default}\`` : ''
    return `| \`${name}\` | ${flags.map((flag) => `\`--${flag}\``).join(', ')} | ${value} | ${effect} |\n`
  })
  expect(page).toContain(rows.join(''))
})
