import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { watchDirectory } from '../../lib/directory.ts'
import { writeVolume } from './kubelet-volume.ts'

let parent: string
let directory: string
let stop: AbortController

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'culvert-directory-'))
  directory = join(parent, 'watched')
  await mkdir(directory)
  stop = new AbortController()
})
afterEach(async () => {
  stop.abort()
  await rm(parent, { recursive: true })
})

/** Watches, with a re-read so slow that it proves nothing unless asked for. */
function start({ path = directory, rereadMs = 60_000, changed = async (): Promise<void> => {} } = {}) {
  const calls: number[] = []
  const reports: string[] = []
  const note = (): Promise<void> => {
    calls.push(performance.now())
    return changed()
  }
  const report = (problem: string): unknown => reports.push(problem)
  const ended = watchDirectory(path, note, { rereadMs, report, signal: stop.signal })
  return { calls, reports, ended }
}

const within = { timeout: 1000, interval: 5 }

/** Does `change`, and waits until it was noticed. */
async function noticed({ calls }: { calls: readonly number[] }, change: () => Promise<unknown>): Promise<void> {
  const before = calls.length
  await change()
  await expect.poll(() => calls.length, within).toBeGreaterThan(before)
  // What else belongs to this change.
  await sleep(200)
}

it('calls once when it begins, and after each kind of change', async () => {
  const watching = start()
  await noticed(watching, async () => {})
  expect(watching.calls).toHaveLength(1)
  const file = join(directory, 'file')
  await noticed(watching, () => writeFile(file, 'a'))
  await noticed(watching, () => writeFile(file, 'b'))
  await noticed(watching, () => rename(file, `${file}2`))
  await noticed(watching, () => rm(`${file}2`))
  await noticed(watching, () => writeVolume(directory, { file: 'c' }))
  await noticed(watching, () => writeVolume(directory, { file: 'd' }))
  expect(watching.calls).toHaveLength(7)
  expect(watching.reports).toEqual([])
})

it('makes a storm few calls, some while it lasts, and the last one comes after its end', async () => {
  const seen: string[] = []
  const changed = async (): Promise<void> => {
    seen.push(await readFile(join(directory, 'file'), 'utf8').catch(String))
  }
  start({ changed })
  const began = performance.now()
  let swaps = 0
  for (; performance.now() - began < 3000; swaps += 1) {
    await writeVolume(directory, { file: `swap ${swaps}` })
    await sleep(Math.max(0, began + swaps * 20 - performance.now()))
  }
  await sleep(300)
  expect(swaps).toBeGreaterThan(50)
  expect(seen.length).toBeGreaterThanOrEqual(3)
  expect(seen.length).toBeLessThan(swaps / 5)
  expect(seen.at(-1)).toBe(`swap ${swaps - 1}`)
})

it('never calls twice at once, and calls again for what happened meanwhile', async () => {
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let call = -1
  const watching = start({ changed: async () => gates[(call += 1)]?.promise })
  await expect.poll(() => watching.calls.length, within).toBe(1)
  for (let count = 0; count < 3; count += 1) {
    await writeFile(join(directory, 'file'), String(count))
    await sleep(150)
  }
  expect(watching.calls).toHaveLength(1)
  gates[0]?.resolve()
  await expect.poll(() => watching.calls.length, within).toBe(2)
  gates[1]?.resolve()
  await sleep(300)
  expect(watching.calls).toHaveLength(2)
})

it('goes on when the directory is removed and made anew', async () => {
  const watching = start({ path: `${directory}/` })
  await noticed(watching, async () => {})
  await noticed(watching, async () => {
    await rm(directory, { recursive: true })
    await mkdir(directory)
  })
  await noticed(watching, () => writeFile(join(directory, 'file'), 'a'))

  // Whether it was seen absent a moment ago is chance.
  watching.reports.length = 0
  await noticed(watching, () => rm(directory, { recursive: true }))
  await sleep(1500)
  expect(watching.reports).toEqual([expect.stringMatching(/watched\/ cannot be watched.*ENOENT/)])
  await mkdir(directory)
  await sleep(3000)
  await noticed(watching, () => writeFile(join(directory, 'file'), 'b'))
  expect(watching.reports).toHaveLength(1)
})

it('goes on by re-reading when another directory takes the place unannounced', async () => {
  const above = join(parent, 'above')
  await mkdir(join(above, 'watched'), { recursive: true })
  const watching = start({ path: join(above, 'watched'), rereadMs: 500 })
  await noticed(watching, async () => {})
  await rename(above, `${above}-old`)
  await mkdir(join(above, 'watched'), { recursive: true })
  await sleep(700)
  const file = join(above, 'watched', 'file')
  const before = watching.calls.length
  await writeFile(file, 'a')
  await expect.poll(() => watching.calls.length, { timeout: 200, interval: 5 }).toBeGreaterThan(before)
})

it('re-reads although nothing happens, and ends with its signal', async () => {
  const watching = start({ rereadMs: 200 })
  await sleep(1100)
  expect(watching.calls.length).toBeGreaterThanOrEqual(4)
  expect(watching.calls.length).toBeLessThanOrEqual(6)
  stop.abort()
  await watching.ended
  const before = watching.calls.length
  await sleep(500)
  expect(watching.calls).toHaveLength(before)
})

it('re-reads where the kernel has no watch left, and watches again when it has', async () => {
  const program = `
    import { writeFileSync } from 'node:fs'
    import { setTimeout as sleep } from 'node:timers/promises'
    import { watchDirectory } from ${JSON.stringify(join(import.meta.dirname, '../../lib/directory.ts'))}
    const limit = (count) => writeFileSync('/proc/sys/user/max_inotify_watches', String(count))
    const stop = new AbortController()
    const reports = []
    let calls = 0
    limit(0)
    const options = { rereadMs: 700, report: (text) => reports.push(text), signal: stop.signal }
    const ended = watchDirectory('.', () => { calls += 1 }, options)
    await sleep(3000)
    const refused = calls
    limit(10)
    await sleep(800)
    const before = calls
    writeFileSync('file', 'a')
    await sleep(150)
    const announced = calls - before
    stop.abort()
    await ended
    console.log(JSON.stringify({ refused, announced, reports }))
  `
  // A user namespace has limits of its own.
  const args = ['--user', '--map-root-user', process.execPath, '--input-type=module', '--eval', program]
  const { stdout } = await promisify(execFile)('unshare', args, { cwd: directory })
  const { refused, announced, reports } = JSON.parse(stdout) as {
    refused: number
    announced: number
    reports: string[]
  }
  expect(refused).toBeGreaterThanOrEqual(4)
  expect(announced).toBeGreaterThanOrEqual(1)
  expect(reports).toEqual([expect.stringMatching(/cannot be watched, so it is re-read.*ENOSPC/)])
})
