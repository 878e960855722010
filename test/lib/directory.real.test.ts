import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
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
  vi.useRealTimers()
  stop.abort()
  await rm(parent, { recursive: true })
})

/** Watches with a re-read interval too long to matter, unless a test sets one. */
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

const often = { interval: 5 }

/** Waits for several turns of the event loop, after which the remaining events of a change have arrived. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) await sleep(60)
}

/** Makes `change`, and waits until it was noticed. */
async function noticed({ calls }: { calls: readonly number[] }, change: () => Promise<unknown>): Promise<void> {
  const before = calls.length
  await change()
  await expect.poll(() => calls.length, often).toBeGreaterThan(before)
  await settled()
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
  // On a busy machine a change may be noticed in two parts, such as a file that is created and then written.
  expect(watching.calls.length).toBeLessThanOrEqual(1 + 2 * 6)
  expect(watching.reports).toEqual([])
})

it('calls once for each swap of a volume, at once, and for what else waits with it', async () => {
  await writeVolume(directory, { file: 'a' })
  // While this clock stands still, nothing is called that waits for more events.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  const { calls } = start()
  await expect.poll(() => vi.getTimerCount(), often).toBeGreaterThan(0)
  vi.advanceTimersByTime(1000)
  await expect.poll(() => calls.length, often).toBe(1)
  for (const expected of [2, 3, 4, 5]) {
    if (expected > 3) {
      await mkdir(join(directory, `directory${expected}`))
      await expect.poll(() => vi.getTimerCount(), often).toBeGreaterThan(0)
    }
    await writeVolume(directory, { file: String(expected) })
    await expect.poll(() => calls.length, often).toBe(expected)
    await settled()
    vi.advanceTimersByTime(1000)
    await settled()
    expect(calls).toHaveLength(expected)
  }
})

it('combines a burst into a few calls, some during it, and one after its end', async () => {
  const seen: string[] = []
  const changed = async (): Promise<void> => {
    seen.push(await readFile(join(directory, 'file'), 'utf8').catch(String))
  }
  start({ changed })
  // As fast as possible, until some calls came during it.
  let swaps = 0
  for (; swaps < 500 || seen.length < 3; swaps += 1) await writeVolume(directory, { file: `swap ${swaps}` })
  await expect.poll(() => seen.at(-1), often).toBe(`swap ${swaps - 1}`)
  expect(seen.length).toBeLessThan(swaps / 5)
})

it('never runs two calls at once, and calls again for what happened meanwhile', async () => {
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let call = -1
  const watching = start({ changed: async () => gates[(call += 1)]?.promise })
  await expect.poll(() => watching.calls.length, often).toBe(1)
  for (let count = 0; count < 3; count += 1) {
    await writeFile(join(directory, 'file'), String(count))
    await settled()
  }
  expect(watching.calls).toHaveLength(1)
  gates[0]?.resolve()
  await expect.poll(() => watching.calls.length, often).toBe(2)
  gates[1]?.resolve()
  await settled()
  expect(watching.calls).toHaveLength(2)
})

it('goes on when the directory is removed and created again', async () => {
  const watching = start({ path: `${directory}/` })
  await noticed(watching, async () => {})
  await noticed(watching, () => writeFile(join(directory, 'file'), 'a'))
  await noticed(watching, () => rm(directory, { recursive: true }))
  await expect
    .poll(() => watching.reports, often)
    .toEqual([expect.stringMatching(/watched\/ cannot be watched.*ENOENT/)])
  await noticed(watching, () => mkdir(directory))
  await noticed(watching, () => writeFile(join(directory, 'file'), 'b'))
  expect(watching.reports).toHaveLength(1)
})

it('goes on by re-reading when the directory is removed and created again at once', async () => {
  const rereadMs = 1000
  const watching = start({ rereadMs })
  await noticed(watching, () => writeFile(join(directory, 'file'), 'a'))
  await rm(directory, { recursive: true })
  await mkdir(directory)
  await sleep(rereadMs)
  await byEvents(join(directory, 'file'), watching, rereadMs)
})

it('goes on by re-reading when another directory replaces it without an event', async () => {
  const above = join(parent, 'above')
  await mkdir(join(above, 'watched'), { recursive: true })
  const rereadMs = 1000
  const watching = start({ path: join(above, 'watched'), rereadMs })
  await noticed(watching, async () => {})
  await rename(above, `${above}-old`)
  await mkdir(join(above, 'watched'), { recursive: true })
  const before = watching.calls.length
  await expect.poll(() => watching.calls.length, often).toBeGreaterThan(before)
  await byEvents(join(above, 'watched', 'file'), watching, rereadMs)
})

/** Expects that changes of a file are noticed sooner than by re-reading alone, if not while the machine is busy. */
async function byEvents(file: string, { calls }: { calls: readonly number[] }, rereadMs: number): Promise<void> {
  /** How long five changes take to be noticed, one after the other, in ms. */
  const timeOfFive = async (): Promise<number> => {
    const began = performance.now()
    for (let change = 1; change <= 5; change += 1) {
      const before = calls.length
      await writeFile(file, String(change))
      await expect.poll(() => calls.length, often).toBeGreaterThan(before)
    }
    return performance.now() - began
  }
  await expect.poll(timeOfFive).toBeLessThan((5 * rereadMs) / 2)
}

it('re-reads without any event, and stops with its signal', async () => {
  const began = performance.now()
  const watching = start({ rereadMs: 200 })
  await expect.poll(() => watching.calls.length, often).toBeGreaterThanOrEqual(5)
  expect(watching.calls[4]! - began).toBeGreaterThan(4 * 150)
  stop.abort()
  await watching.ended
  const before = watching.calls.length
  await sleep(500)
  expect(watching.calls).toHaveLength(before)
})

it('re-reads if the kernel has no inotify watch left, and watches again once it has', async () => {
  const program = `
    import { writeFileSync } from 'node:fs'
    import { setTimeout as sleep } from 'node:timers/promises'
    import { watchDirectory } from ${JSON.stringify(join(import.meta.dirname, '../../lib/directory.ts'))}
    const limit = (count) => writeFileSync('/proc/sys/user/max_inotify_watches', String(count))
    const stop = new AbortController()
    const reports = []
    let calls = 0
    limit(0)
    const rereadMs = 700
    const options = { rereadMs, report: (text) => reports.push(text), signal: stop.signal }
    const ended = watchDirectory('.', () => { calls += 1 }, options)
    const more = async (count) => {
      for (const before = calls; calls < before + count;) await sleep(5)
    }
    await more(4)
    limit(10)
    await more(2)
    // Until the machine is not too busy for it.
    let share = 1
    for (let attempt = 0; attempt < 20 && share >= 0.5; attempt += 1) {
      const began = performance.now()
      for (let change = 0; change < 5; change += 1) {
        writeFileSync('file', String(change))
        await more(1)
      }
      share = (performance.now() - began) / (5 * rereadMs)
    }
    stop.abort()
    await ended
    console.log(JSON.stringify({ share, reports }))
  `
  // A user namespace has limits of its own.
  const args = ['--user', '--map-root-user', process.execPath, '--input-type=module', '--eval', program]
  const { stdout } = await promisify(execFile)('unshare', args, { cwd: directory })
  const { share, reports } = JSON.parse(stdout) as { share: number; reports: string[] }
  // By events, and not by re-reading.
  expect(share).toBeLessThan(0.5)
  expect(reports).toEqual([expect.stringMatching(/cannot be watched, so it is re-read.*ENOSPC/)])
})

it('goes on after a change whose handler failed, and logs the error', async () => {
  let broken = true
  const changed = (): Promise<void> => (broken ? Promise.reject(new Error('no such thing')) : Promise.resolve())
  const watching = start({ changed })
  await noticed(watching, async () => {})
  expect(watching.reports).toEqual([`what changed in ${directory} could not be used: no such thing`])
  broken = false
  await noticed(watching, () => writeFile(join(directory, 'file'), 'a'))
  expect(watching.reports).toHaveLength(1)
})
