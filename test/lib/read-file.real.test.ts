import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readSmallFile } from '../../lib/read-file.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'culvert-read-file-'))
  await writeFile(join(directory, 'file'), 'abc')
  await symlink('file', join(directory, 'link'))
  await symlink('nowhere', join(directory, 'dangling'))
  execFileSync('mkfifo', [join(directory, 'pipe')])
})
afterAll(() => rm(directory, { recursive: true }))

it('reads a file, also through a link, up to its limit', async () => {
  expect(String(await readSmallFile(join(directory, 'file'), 3))).toBe('abc')
  expect(String(await readSmallFile(join(directory, 'link'), 3))).toBe('abc')
})

it.each<[string, string, RegExp]>([
  ['one byte too many', 'file', /^it has 3 bytes, and at most 2 are read$/],
  ['a pipe, without waiting for it', 'pipe', /^it is no regular file$/],
  ['a directory', '.', /^it is a directory, as engines make one for a mount without a source$/],
  ['a link to nothing', 'dangling', /ENOENT/],
])('refuses %s', async (_what, name, message) => {
  await expect(readSmallFile(join(directory, name), 2)).rejects.toThrow(message)
})

it('refuses a device, which never ends', async () => {
  await expect(readSmallFile('/dev/zero', 2)).rejects.toThrow(/^it is no regular file$/)
})
