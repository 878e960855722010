import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { projectRoot } from '../paths.ts'
import { parseList } from './packages.ts'
import { groups } from './table.ts'

test('ignores comments and empty lines', () => {
  expect(parseList('# a list: of\n\nnftables  # rules\n  tini\n#tcpdump\n', [])).toEqual(['nftables', 'tini'])
})

test('a package of a group is only wanted with its group', () => {
  const list = 'runc  # cluster: runs containers\nnftables  # rules\n'
  expect(parseList(list, [])).toEqual(['nftables'])
  expect(parseList(list, ['cluster'])).toEqual(['runc', 'nftables'])
})

test("the project's list is sorted, says what each package is for, and has no duplicates", async () => {
  const text = await readFile(join(projectRoot, 'debian-packages.txt'), 'utf8')
  const names = parseList(text, Object.keys(groups))
  expect(names).toEqual([...new Set(names)].toSorted())
  for (const line of text.trim().split('\n')) expect(line).toMatch(/^#|^[a-z0-9.+-]+ +# \S/)
})
