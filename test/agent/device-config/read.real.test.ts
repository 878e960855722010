import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { findConfigFile, readConfigFile } from '../../../agent/device-config/read.ts'
import { writeVolume } from '../../lib/kubelet-volume.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'culvert-read-config-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))
const read = async () => readConfigFile(await findConfigFile(directory, 142))

it('reads the best file of a mounted volume', async () => {
  const text = '{"Version":"alpha0","AuthKey":"key","AdvertiseServices":["svc:a"]}'
  await writeVolume(directory, { 'cap-95.hujson': '{}', 'cap-107.hujson': text, 'cap-143.hujson': '{}' })
  expect(await read()).toEqual({
    path: join(directory, 'cap-107.hujson'),
    cap: 107,
    bytes: Buffer.from(text),
    config: { authKey: 'key', isAppConnector: false, advertiseServices: ['svc:a'], disableSnat: false },
  })
})

it.each<[string, (path: string) => Promise<unknown>, RegExp]>([
  ['no directory', () => rm(directory, { recursive: true }), /^the config directory .* cannot be read$/],
  ['no file', async () => {}, /^there is no usable config file in /],
  ['other files', () => writeVolume(directory, { x: '' }), /^there is no usable config file in .*: it has .*x/],
  ['an empty file', (path) => writeFile(path, ''), /cap-95\.hujson: the file is empty$/],
  ['half a file', (path) => writeFile(path, '{"Version": "al'), /cap-95\.hujson:1:13: .*half written$/],
  [
    'a file that is too large',
    (path) => writeFile(path, ' '.repeat(1024 * 1024 + 1)),
    /cap-95\.hujson cannot be read$/,
  ],
  ['a directory in its place', (path) => mkdir(path), /^there is no usable/],
])('refuses %s', async (_name, prepare, message) => {
  await prepare(join(directory, 'cap-95.hujson'))
  await expect(read()).rejects.toMatchObject({
    code: 'settings',
    message: expect.stringMatching(message),
  })
})
