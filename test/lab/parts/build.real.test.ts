import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { noProgress } from '../progress.ts'
import { build, missing, place } from './build.ts'
import type { Part } from './part.ts'

let cache = ''
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'culvert-cache-'))
})
afterEach(async () => {
  await rm(cache, { recursive: true })
})

/** A part that counts how often it is made. */
function toy(inputs: string, work: () => Promise<void> = async () => undefined): Part & { made: () => number } {
  let made = 0
  return {
    name: 'toy',
    inputs: async () => inputs,
    build: async (into) => {
      made += 1
      await writeFile(join(into, 'begun'), '')
      await work()
      await writeFile(join(into, 'toy'), inputs)
    },
    made: () => made,
  }
}

async function ensure(part: Part): Promise<string> {
  const placed = await place(cache, [part])
  await build(cache, missing(placed), noProgress())
  return placed[0]!.directory
}

test('a part is built once for each of its inputs', async () => {
  const first = toy('version 1')
  const directory = await ensure(first)
  expect(await ensure(first)).toBe(directory)
  expect(first.made()).toBe(1)
  expect(await readFile(join(directory, 'toy'), 'utf8')).toBe('version 1')
  expect(await ensure(toy('version 2'))).not.toBe(directory)
  expect(existsSync(directory)).toBe(true)
})

test('two processes that need the same part build it once', async () => {
  const slow = toy('slow', () => delay(300))
  const [one, other] = await Promise.all([ensure(slow), ensure(slow)])
  expect(one).toBe(other)
  expect(slow.made()).toBe(1)
})

test('a build that fails leaves nothing, and the next one succeeds', async () => {
  const broken = toy('same', () => Promise.reject(new Error('no compiler')))
  await expect(ensure(broken)).rejects.toThrow('no compiler')
  expect(await readdir(join(cache, 'parts'))).toEqual([])
  expect(existsSync(join(await ensure(toy('same')), 'toy'))).toBe(true)
})

test('the remains of a killed build are removed by the next one', async () => {
  const remains = join(cache, 'parts', '.building-toy-1')
  await mkdir(remains, { recursive: true })
  await writeFile(join(remains, 'begun'), '')
  const directory = await ensure(toy('fresh'))
  expect(existsSync(remains)).toBe(false)
  expect(existsSync(join(directory, 'toy'))).toBe(true)
})
