import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkImage } from '../../../agent/cli/check-image.ts'

const client = (version: string, cap: number): string =>
  JSON.stringify({ majorMinorPatch: version, short: version, long: `${version}-t1`, cap })
const daemon = (version: string): string => `${version}\n  tailscale commit: 1\n  go version: go1.26.8\n`

let folder: string
let record: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'culvert-image-'))
  record = join(folder, 'tailscale-version.json')
})
afterEach(() => rm(folder, { recursive: true }))

/** Checks an image whose tailscale and tailscaled print this. */
const check = (reported: string, version: string, write: boolean) =>
  checkImage(async (program) => (program === 'tailscale' ? reported : version), folder, write)

test.each([
  ['a version', client('1.102.5', 142), daemon('1.102.5'), undefined],
  ['another build of it', client('1.102.5', 142), daemon('1.102.5-dev20261124'), undefined],
  ['the oldest version', client('1.80.3', 113), daemon('1.80.3'), undefined],
  ['the newest version', client('1.104.7', 148), daemon('1.104.7'), undefined],
  ['a version that is too old', client('1.78.1', 109), daemon('1.78.1'), /1\.78\.1 is not one of .* 1\.80 to 1\.104/],
  ['a version that is too new', client('1.106.0', 150), daemon('1.106.0'), /1\.106\.0 is not one of /],
])('records %s, and finds it in place afterwards', async (_what, reported, version, warning) => {
  const expected = warning === undefined ? undefined : expect.stringMatching(warning)
  expect(await check(reported, version, true)).toEqual(expected)
  expect(await readFile(record, 'utf8')).toBe(reported)
  expect(await check(reported, version, false)).toEqual(expected)
})

test.each([
  ['a tailscale without a capability version', '{}', daemon('1.102.5'), /^tailscale tells no capability version: \{\}/],
  ['a tailscale that prints no JSON', 'what?', daemon('1.102.5'), /^tailscale tells no capability version: what\?/],
  ['tailscale and tailscaled that differ', client('1.102.5', 142), daemon('1.102.50'), /tailscaled is 1\.102\.50/],
])('records nothing of %s', async (_what, reported, version, message) => {
  await expect(check(reported, version, true)).rejects.toThrow(message)
  await expect(readFile(record)).rejects.toThrow('ENOENT')
})

test.each([
  ['no record', undefined, /capability version 148, but none is recorded in /],
  ['a broken record', '{"cap":', /but none is recorded in /],
  ['the record of another version', client('1.102.5', 142), /but 142 is recorded in /],
])('refuses an image with %s', async (_what, recorded, message) => {
  if (recorded !== undefined) await writeFile(record, recorded)
  await expect(check(client('1.104.2', 148), daemon('1.104.2'), false)).rejects.toMatchObject({
    code: 'command',
    message: expect.stringMatching(message),
    remedy: expect.stringContaining('culvert check-image --record'),
  })
})
