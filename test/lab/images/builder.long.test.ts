import { execa } from 'execa'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { allPids, argvOf } from '../namespaces/procs.ts'
import { buildah, imagesRoot } from './buildah.ts'
import { buildImageOf, withImages } from './builder.ts'

const quiet = (): void => undefined
let work = ''
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'culvert-build-'))
})
afterAll(() => rm(work, { recursive: true }))

/** A directory with a Dockerfile, based on the bed's Debian. */
async function dockerfile(debian: string, line: string): Promise<string> {
  const directory = await mkdtemp(join(work, 'context-'))
  await writeFile(join(directory, 'Dockerfile'), `FROM ${debian}\n${line}\n`)
  return directory
}

const processes = (): string[] =>
  allPids()
    .map((pid) => argvOf(pid).join(' '))
    .filter((argv) => argv.includes(imagesRoot()) && !argv.startsWith('flock '))

/** Directories outside the cache that buildah would write to. */
const elsewhere = ['/var/lib/containers', '/run/containers']
const before = new Set(elsewhere.filter((directory) => existsSync(directory)))

/** Mounts below the images' directory that this process sees, working containers, and directories. */
async function leftovers(): Promise<string[]> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n')
  const containers = await buildah(['containers', '--quiet'])
  const made = elsewhere.filter((directory) => existsSync(directory) && !before.has(directory))
  const directories = (await readdir(imagesRoot())).filter((name) => /^(run|build)-/.test(name))
  return [
    ...mounts.filter((line) => line.includes(imagesRoot())),
    ...containers.split('\n').filter(Boolean),
    ...directories,
    ...made,
  ]
}

test('a build leaves nothing mounted and nothing running, whether it succeeds or fails', async () => {
  await withImages(quiet, async ({ debian }) => {
    await buildImageOf([await dockerfile(debian, 'RUN true')])
    await expect(buildImageOf([await dockerfile(debian, 'RUN echo no such luck && false')])).rejects.toThrow(
      'no such luck',
    )
    expect(await leftovers()).toEqual([])
    expect(processes()).toEqual([])
  })
})

test('a build that is killed ends with everything that it started, and the next one removes its remains', async () => {
  const program = `
    const { buildImageOf, withImages } = await import(${JSON.stringify(join(import.meta.dirname, 'builder.ts'))})
    const { writeFileSync } = await import('node:fs')
    await withImages(() => {}, async ({ debian }) => {
      writeFileSync('Dockerfile', 'FROM ' + debian + '\\nRUN sleep 271')
      await buildImageOf(['.'], (line) => line.includes('RUN') && console.log('runs'))
    })`
  const building = execa(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: work,
    buffer: false,
    reject: false,
  })
  await new Promise((resolve) => building.stdout.once('data', resolve))
  const asleep = (): boolean => allPids().some((pid) => argvOf(pid).join(' ') === 'sleep 271')
  await expect.poll(asleep).toBe(true)
  building.kill('SIGKILL')
  await expect.poll(asleep).toBe(false)
  await withImages(quiet, async () => {
    await expect.poll(processes).toEqual([])
    expect(await leftovers()).toEqual([])
  })
})
