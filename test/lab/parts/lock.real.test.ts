import { execa } from 'execa'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { withLock } from './lock.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'culvert-lock-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

const nobody = (): void => undefined

test('one at a time', async () => {
  const file = join(folder, 'lock')
  let inside = 0
  let most = 0
  const work = async (): Promise<void> => {
    inside += 1
    most = Math.max(most, inside)
    await delay(40)
    inside -= 1
  }
  await Promise.all([1, 2, 3].map(() => withLock(file, work, nobody)))
  expect(most).toBe(1)
})

test('a waiting process is told who holds the lock, and a killed holder releases it', async () => {
  const file = join(folder, 'lock')
  const program = `
    const { withLock } = await import(${JSON.stringify(join(import.meta.dirname, 'lock.ts'))})
    await withLock(${JSON.stringify(file)}, async () => { console.log('held'); await new Promise((r) => setTimeout(r, 60_000)) }, () => {})`
  const holder = execa(process.execPath, ['--input-type=module', '--eval', program], { buffer: false, reject: false })
  await new Promise((resolve) => holder.stdout.once('data', resolve))
  const reported: string[] = []
  const waiting = withLock(
    file,
    async () => 'mine',
    (who) => {
      reported.push(who)
      holder.kill('SIGKILL')
    },
  )
  expect(await waiting).toBe('mine')
  expect(reported).toContain(`process ${holder.pid}`)
})

test('an error in the work releases it', async () => {
  const file = join(folder, 'lock')
  await expect(withLock(file, () => Promise.reject(new Error('oh')), nobody)).rejects.toThrow('oh')
  expect(await withLock(file, async () => 1, nobody)).toBe(1)
})
