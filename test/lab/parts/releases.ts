import { chmod, copyFile, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { goBuild, goInputs, moduleSource } from './go.ts'
import { type GoModule, tailscale104, tailscale80 } from './module.ts'
import type { Part } from './part.ts'

const programs = ['tailscale', 'tailscaled'] as const

const program = (module: GoModule, name: string) => ({ module, package: `tailscale.com/cmd/${name}` }) as const

/** A part with both programs of another release. `prepare` gives the module in which they are built. */
const release = <Name extends string>(
  name: Name,
  module: GoModule,
  recipe: string,
  prepare: (work: string) => Promise<GoModule>,
): Part<Name> => ({
  name,
  inputs: async () => `${recipe}\n${await goInputs(program(module, '...'))}`,
  build: async (into, note) => {
    const work = await mkdtemp(join(tmpdir(), 'culvert-release-'))
    try {
      const prepared = await prepare(work)
      for (const one of programs) await goBuild(program(prepared, one), join(into, one), note)
    } finally {
      await rm(work, { recursive: true, force: true })
    }
  },
})

/**
 * tailscale 1.104 sets an option of gvisor, on Windows only, that is not in the newest gvisor of the module proxy: that
 * line is left out of a copy of its source.
 */
async function withoutNewOption(work: string): Promise<GoModule> {
  const { directory } = tailscale104
  for (const name of ['go.mod', 'go.sum']) await copyFile(join(directory, name), join(work, name))
  const source = join(work, 'tailscale')
  await cp(await moduleSource(tailscale104, 'tailscale.com'), source, { recursive: true })
  const file = join(source, 'wgengine/netstack/netstack.go')
  const lines = (await readFile(file, 'utf8')).split('\n')
  // Files of the module cache are read-only.
  await chmod(file, 0o644)
  await writeFile(file, lines.filter((line) => !line.includes('opts.ClockResolution')).join('\n'))
  const definition = await readFile(join(work, 'go.mod'), 'utf8')
  await writeFile(join(work, 'go.mod'), `${definition}\nreplace tailscale.com => ./tailscale\n`)
  return { ...tailscale104, directory: work }
}

/** The oldest and the newest release of tailscaled that the agent supports. */
export const releases = [
  release('tailscale-1.80', tailscale80, '', async () => tailscale80),
  release('tailscale-1.104', tailscale104, 'without ClockResolution', withoutNewOption),
] as const
