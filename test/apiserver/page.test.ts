import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { variables } from '../../apiserver/settings.ts'

const page = readFileSync(join(import.meta.dirname, '../../docs/apiserver-proxy.md'), 'utf8')

it('docs/apiserver-proxy.md has all settings as they are', () => {
  const rows = variables
    .filter(({ name }) => !name.startsWith('TS_TEST_'))
    .map((one) => `| \`${one.name}\` | ${'default' in one ? `\`${one.default}\`` : ''} | ${one.effect} |\n`)
  expect(page).toContain(rows.join(''))
})
