import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { findConfigFile, readConfigFile } from '../../../agent/device-config/read.ts'
import { followDeviceConfig } from '../../../agent/device-config/follow.ts'
import type { Mounted } from '../../../agent/world/mounted.ts'
import type { DeviceConfig } from '../../../agent/world/world.ts'
import { writeVolume } from '../../lib/kubelet-volume.ts'

let parent: string
let directory: string
let stop: AbortController
let published: Mounted<DeviceConfig>[]
let reports: string[]

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'culvert-follow-config-'))
  directory = join(parent, 'config')
  stop = new AbortController()
  published = []
  reports = []
})
afterEach(async () => {
  stop.abort()
  await rm(parent, { recursive: true })
})

const version = 142
const withKey = (key: string): string => `{"version": "alpha0", "AuthKey": "${key}"}`

/** Follows from the current content; `meanwhile` happens before the watch begins. */
async function follow(meanwhile: () => Promise<unknown> = async () => {}): Promise<void> {
  const initial = await readConfigFile(await findConfigFile(directory, version))
  await meanwhile()
  const publish = (config: Mounted<DeviceConfig>): unknown => published.push(config)
  const report = (problem: string): unknown => reports.push(problem)
  void followDeviceConfig({ directory, version, initial, publish, report, rereadMs: 60_000 }, stop.signal)
  // Until the first look is over.
  await sleep(200)
}

const newest = (): object => ({
  key: published.at(-1)?.content.config.authKey,
  rejected: published.at(-1)?.rejected,
})
/** Waits until this is published. */
const becomes = (key: string, rejected?: RegExp): Promise<void> =>
  expect
    .poll(newest, { interval: 10 })
    .toEqual({ key, rejected: rejected === undefined ? undefined : expect.stringMatching(rejected) })

it('follows a mounted volume, and publishes nothing while nothing differs', async () => {
  await writeVolume(directory, { 'cap-107.hujson': withKey('one') })
  await follow()
  await writeVolume(directory, { 'cap-107.hujson': withKey('one') })
  await writeVolume(directory, { 'cap-107.hujson': withKey('two') })
  await becomes('two')
  expect(published).toHaveLength(1)
})

it('notices a change that was made before it began', async () => {
  await writeVolume(directory, { 'cap-107.hujson': withKey('one') })
  await follow(() => writeVolume(directory, { 'cap-107.hujson': withKey('two') }))
  await becomes('two')
})

it('ends with the newest of a burst of changes', async () => {
  await writeVolume(directory, { 'cap-107.hujson': withKey('one') })
  await follow()
  // As fast as possible, until some were read during it: a burst does not block reading.
  let swaps = 0
  for (; swaps < 100 || published.length < 2; swaps += 1) {
    await writeVolume(directory, { 'cap-107.hujson': withKey(`storm ${swaps}`) })
  }
  await becomes(`storm ${swaps - 1}`)
  expect(published.filter(({ rejected }) => rejected !== undefined)).toEqual([])
})

it('keeps the last good file while the newest cannot be used, and says why', async () => {
  await mkdir(directory)
  const path = join(directory, 'cap-107.hujson')
  await writeFile(path, withKey('one'))
  await follow()
  await writeFile(path, '')
  await becomes('one', /the file is empty/)
  await writeFile(path, withKey('secret').slice(0, -4))
  await becomes('one', /cap-107\.hujson:1:34: unexpected end of string.*half written/)
  await writeFile(path, '{"version": "alpha0", "AuthKeys": "secret"}')
  await becomes('one', /tailscaled knows no field "AuthKeys"/)
  await writeFile(path, '{"version": "alpha1"}')
  await becomes('one', /the version is not "alpha0"/)
  await rm(path)
  await becomes('one', /cap-107\.hujson cannot be read: ENOENT/)
  await writeFile(`${path}.new`, withKey('two'))
  await rename(`${path}.new`, path)
  await becomes('two')
  await writeFile(path, 'broken')
  await becomes('two', /invalid symbol/)
  await writeFile(path, withKey('two'))
  await becomes('two')
  expect(published.map(({ rejected }) => rejected).join()).not.toMatch(/secret/)
})

it('asks for a restart when another file would be chosen, and keeps following its own', async () => {
  await writeVolume(directory, { 'cap-95.hujson': withKey('one') })
  await follow()
  await writeVolume(directory, { 'cap-95.hujson': withKey('two'), 'cap-107.hujson': withKey('new') })
  await becomes('two', /^cap-107\.hujson is now the config file to use, .* cap-95\.hujson .* Restart the Pod\.$/)
  await writeVolume(directory, { 'cap-95.hujson': withKey('three'), 'cap-107.hujson': withKey('new') })
  await becomes('three', /Restart/)
  await writeVolume(directory, { 'cap-94.hujson': withKey('old') })
  await becomes('three', /^cap-94\.hujson is now/)
  await writeVolume(directory, { 'cap-95.hujson': withKey('four'), 'cap-143.hujson': withKey('too new') })
  await becomes('four')
})

it('goes on when the directory is removed and created again', async () => {
  await writeVolume(directory, { 'cap-107.hujson': withKey('one') })
  await follow()
  await rm(directory, { recursive: true })
  await becomes('one', /cannot be read: ENOENT/)
  // One that is there again at once may not have been missed.
  await expect.poll(() => reports).toEqual([expect.stringMatching(/config cannot be watched/)])
  await writeVolume(directory, { 'cap-107.hujson': withKey('two') })
  await becomes('two')
  await writeVolume(directory, { 'cap-107.hujson': withKey('three') })
  await becomes('three')
  expect(reports).toHaveLength(1)
})
