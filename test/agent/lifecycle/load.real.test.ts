import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { loadSettings } from '../../../agent/lifecycle/load.ts'
import { writeVolume } from '../../lib/kubelet-volume.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'culvert-load-'))
})
afterEach(() => rm(directory, { recursive: true }))

const load = (env: Record<string, string>) => loadSettings({ TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR: directory, ...env })

it('returns the settings and the config file that they name', async () => {
  await writeVolume(directory, { 'cap-95.hujson': '{"version":"alpha0","AuthKey":"k"}' })
  expect(await load({})).toMatchObject({
    settings: { configDirectory: directory },
    warnings: [],
    config: { cap: 95, config: { authKey: 'k' } },
  })
  expect(await loadSettings({})).toMatchObject({ settings: { configDirectory: undefined }, config: undefined })
})

// Each is reported before those that follow it.
const badPod = { POD_IPS: 'x' }
const badOthers = { TS_DEST_IP: '10.0.0.1', TS_HOSTNAME: 'h', TS_BOOT_TIMEOUT: '5' }

it.each<[string, Record<string, string>, Record<string, string>, RegExp]>([
  [
    'a missing config file before all else',
    { 'cap-9999.hujson': '{}' },
    { ...badPod, ...badOthers },
    /^there is no usable/,
  ],
  [
    'POD_IPS before a bad config file',
    { 'cap-95.hujson': '{' },
    { ...badPod, ...badOthers },
    /^POD_IPS="x" is not valid/,
  ],
  ['a bad config file before the rest', { 'cap-95.hujson': '{' }, badOthers, /cap-95\.hujson:1:2: /],
  ['the rest', { 'cap-95.hujson': '{"version":"alpha0"}' }, badOthers, /^TS_DEST_IP=10\.0\.0\.1 is not supported/],
])('reports %s', async (_name, files, env, message) => {
  await writeVolume(directory, files)
  await expect(load(env)).rejects.toMatchObject({ code: 'settings', message: expect.stringMatching(message) })
})
