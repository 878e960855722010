import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { checkPage, declaredFindings } from '../../tools/check-page.ts'

const root = join(import.meta.dirname, '../..')
const sources = globSync('agent/check/*.ts', { cwd: root }).map((file) => readFileSync(join(root, file), 'utf8'))

it('docs/check.md is what `npm run format` makes of the declarations of findings', () => {
  expect(readFileSync(join(root, 'docs/check.md'), 'utf8')).toBe(checkPage())
})

it('the page has every area that is declared', () => {
  const declared = sources.flatMap((text) =>
    [...text.matchAll(/= declareFindings\('([\w-]+)'/g)].map(([, area]) => area),
  )
  expect(declared.length).toBeGreaterThan(10)
  expect(new Set(declaredFindings.map(({ id }) => id.split('.')[0]))).toEqual(new Set(declared))
})

it.each(declaredFindings.map((one) => [one.id, one] as const))('%s', (id, { text, meaning, remedy = '' }) => {
  const [, key = 'ok'] = id.split('.')
  const used = sources.some((source) => source.includes(`.${key}(`))
  expect(used, 'it can be found').toBe(true)
  for (const part of [meaning, remedy === '{remedy}' ? '' : remedy]) expect(part).toMatch(/^$|^\S.*[.)?l]$/)
  expect(text).not.toMatch(/[.\n]$/)
  for (const [, page] of `${meaning} ${remedy}`.matchAll(/\]\(([\w-]+\.md)/g))
    expect(() => readFileSync(join(root, 'docs', page ?? ''))).not.toThrow()
})
