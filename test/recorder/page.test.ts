import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { s3Variables } from '../../recorder/s3/settings.ts'
import { variables } from '../../recorder/settings.ts'

const page = readFileSync(join(import.meta.dirname, '../../docs/recorder.md'), 'utf8')

it.each([
  ['all settings', variables],
  ['those for S3', s3Variables],
] as const)('docs/recorder.md has %s as they are', (_which, all) => {
  const rows = all.map(({ name, flags, effect, ...rest }) => {
    const value = 'default' in rest ? `\`${rest.default}\`` : ''
    return `| \`${name}\` | ${flags.map((flag) => `\`--${flag}\``).join(', ')} | ${value} | ${effect} |\n`
  })
  expect(page).toContain(rows.join(''))
})
