import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { projectRoot } from '../paths.ts'
import { noProgress } from '../progress.ts'
import type { Bases } from './base-images.ts'
import { buildImageOf, unpack, withImages } from './builder.ts'
import { buildCross } from './cross.ts'
import { agentArguments } from './image.ts'

const quiet = (): void => undefined

/** The machine of an ELF program, by the number in its header. */
async function machineOf(program: string): Promise<string | undefined> {
  const file = await open(program)
  try {
    const { buffer } = await file.read(Buffer.alloc(20), 0, 20, 0)
    return { 62: 'amd64', 183: 'arm64' }[buffer.readUInt16LE(18)]
  } finally {
    await file.close()
  }
}

test('daemon and bundle can be built for arm64, and the bundle is the same', async () => {
  const work = await mkdtemp(join(tmpdir(), 'culvert-cross-'))
  try {
    const [cross, own] = [join(work, 'cross'), join(work, 'own')]
    await buildCross('arm64', cross, noProgress())
    for (const program of ['tailscale', 'tailscaled']) {
      expect(await machineOf(join(cross, 'daemon/usr/local/bin', program))).toBe('arm64')
    }
    const build = (bases: Bases) => buildImageOf(['--target=bundle', ...agentArguments(bases), projectRoot])
    await withImages(quiet, async (bases) => unpack(await build(bases), own))
    const bundle = 'src/dist/agent.js'
    expect(await readFile(join(cross, 'bundle', bundle))).toEqual(await readFile(join(own, bundle)))
    // The bundle was made by programs of the building machine.
    expect(await machineOf(join(cross, 'bundle/usr/local/bin/node'))).toBe(await machineOf(process.execPath))
  } finally {
    await rm(work, { recursive: true })
  }
})
