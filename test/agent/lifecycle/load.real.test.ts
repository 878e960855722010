import { mkdtemp, rm, writeFile } from 'node:fs/promises'
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

const load = (env: Record<string, string>) =>
  loadSettings({ TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR: directory, ...env }, directory)

it('returns the settings and the config file that they name', async () => {
  await writeVolume(directory, { 'cap-95.hujson': '{"version":"alpha0","AuthKey":"k"}' })
  expect(await load({})).toMatchObject({
    settings: { configDirectory: directory },
    warnings: [],
    config: { cap: 95, config: { authKey: 'k' } },
  })
  expect(await loadSettings({}, directory)).toMatchObject({
    settings: { configDirectory: undefined },
    config: undefined,
  })
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

it.each<[string, string | undefined, number, readonly RegExp[]]>([
  ['no record', undefined, 142, []],
  ['a record', '{"majorMinorPatch":"1.104.2","cap":148}', 148, []],
  ['the record of an older tailscaled', '{"majorMinorPatch":"1.80.3","cap":113}', 95, []],
  [
    'half a record',
    '{"majorMinorPatch":',
    142,
    [/tailscale-version\.json does not tell .* 142 is assumed: it is not what/],
  ],
  ['a record that is too large', ' '.repeat(100_000), 142, [/at most \d+ are read.*check-image --record/]],
])('with %s of the capability version, it chooses the config file for it', async (_name, record, cap, warnings) => {
  const files = [95, 142, 148].map((version) => [`cap-${version}.hujson`, '{"version":"alpha0"}'] as const)
  await writeVolume(directory, Object.fromEntries(files))
  if (record !== undefined) await writeFile(join(directory, 'tailscale-version.json'), record)
  expect(await load({})).toMatchObject({
    config: { cap },
    warnings: warnings.map((warning) => expect.stringMatching(warning)),
  })
})
