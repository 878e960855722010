import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { members } from '../../lib/log-lines.ts'
import { declaredEvents, logPage } from '../../tools/log-page.ts'

const root = join(import.meta.dirname, '../..')
const sources = globSync('{agent,apiserver,kube,lib,netfilter,operator,recorder,relay,serve,certs,wire}/**/*.ts', {
  cwd: root,
}).map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }))

it('docs/log.md is what `npm run format` makes of the declarations of events', () => {
  expect(readFileSync(join(root, 'docs/log.md'), 'utf8')).toBe(logPage())
})

it('the page has every event that a program declares', () => {
  const rooms = sources.flatMap(({ text }) => [...text.matchAll(/= logEvents\('(\w+)'/g)].map(([, room]) => room))
  expect(rooms.length).toBeGreaterThan(15)
  expect(new Set(rooms).size, 'each room is declared once').toBe(rooms.length)
  expect(new Set(declaredEvents.map(({ name }) => name.split('.')[0]))).toEqual(new Set(rooms))
})

it.each(declaredEvents.map((one) => [one.name, one] as const))('%s', (name, { text, meaning, remedy = '' }) => {
  const key = name.split('.')[1] ?? ''
  const used = sources.some(
    ({ file, text: source }) => !file.endsWith('events.ts') && new RegExp(`\\.${key}\\b`).test(source),
  )
  expect(used, 'it is told somewhere').toBe(true)
  for (const [, field] of text.matchAll(/\{(\w+)\}/g)) expect(members).not.toContain(field)
  for (const part of [meaning, remedy]) expect(part).toMatch(/^$|^\S.*[.)?]$/)
  for (const [, page] of `${meaning} ${remedy}`.matchAll(/\]\(([\w-]+\.md)/g))
    expect(() => readFileSync(join(root, 'docs', page ?? ''))).not.toThrow()
})
